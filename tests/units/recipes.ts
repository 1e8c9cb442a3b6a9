import assert from "node:assert/strict";
import type { BootedTree } from "../support/containers/booted_tree.ts";
import {
  commandsOf,
  EXAMPLE,
  fileOf,
  install,
  NETWORK_SERVER,
  NETWORK_UP,
  OTHER_SERVER,
} from "../support/containers/installed_tree.ts";

const OWN = "nameserver 127.0.0.1\noptions edns0\n";
const RESOLVES = `getent ahostsv4 example.org | grep -q '^${EXAMPLE} '`;

/**
 * Sections of docs/install.md for programs that write /etc/resolv.conf or own port 53: the host
 * queries nodens, nodens queries the network's server and follows changes, and the way back
 * restores the host.
 */
export const RECIPES: Readonly<Record<string, (tree: BootedTree) => Promise<void>>> = {
  async "With systemd-resolved"(tree) {
    const servers = "/run/systemd/resolve/resolv.conf";
    tree.write("/etc/nsswitch.conf", "hosts: files resolve [!UNAVAIL=return] dns\n");
    await tree.must(`${NETWORK_UP}
      ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
      systemctl enable --now systemd-resolved.service
      resolvectl dns eth0 ${NETWORK_SERVER}`);
    await tree.until(RESOLVES);
    await begin(tree, servers);
    await follow(tree, "### With systemd-resolved");
    await assertHandedOver(tree);
    assert.equal(tree.read("/etc/nsswitch.conf"), "hosts: files dns\n");
    // An empty DNS= prevents a loop: the file that nodens follows must never name nodens.
    const assertNoLoop = () => assert.doesNotMatch(tree.read(servers), /^nameserver 127\./m);
    assertNoLoop();
    await tree.must(`resolvectl dns eth0 ${OTHER_SERVER}`);
    await assertAsks(tree, OTHER_SERVER);
    await tree.must("systemctl restart systemd-resolved.service");
    await tree.until(`grep -qx 'nameserver ${OTHER_SERVER}' ${servers}`);
    assertNoLoop();
    await goBack(tree, "#### Back to systemd-resolved");
    await tree.until(RESOLVES);
    assert.match(tree.read("/etc/resolv.conf"), /^nameserver 127\.0\.0\.53$/m);
  },

  async "With NetworkManager"(tree) {
    // From systemd-resolved's package; NetworkManager would prefer it to the file.
    await tree.must("rm /sbin/resolvconf");
    await tree.must(`systemctl start NetworkManager.service
      nmcli connection add type ethernet ifname eth0 con-name lan ipv6.method disabled \\
        ipv4.method manual ipv4.addresses 192.0.2.2/24 ipv4.dns ${NETWORK_SERVER}
      nmcli connection up lan`);
    await tree.until(RESOLVES);
    await begin(tree, "/run/NetworkManager/no-stub-resolv.conf");
    await follow(tree, "### With NetworkManager");
    await assertHandedOver(tree);
    await tree.must(`nmcli connection modify lan ipv4.dns ${OTHER_SERVER}
      nmcli device reapply eth0`);
    await assertAsks(tree, OTHER_SERVER);
    await tree.must("systemctl restart NetworkManager.service && nmcli connection up lan");
    await assertHandedOver(tree);
    await goBack(tree, "#### Back to NetworkManager");
    await tree.until(`grep -qx 'nameserver ${OTHER_SERVER}' /etc/resolv.conf && ${RESOLVES}`);
  },

  async "With a DHCP client"(tree) {
    tree.write("/etc/network/interfaces", "iface eth0 inet dhcp\n");
    await offer(tree, NETWORK_SERVER);
    await tree.must(`ifup eth0 && ${RESOLVES}`);
    await begin(tree, "/etc/nodens/upstreams.conf");
    const hook = fileOf("### With a DHCP client");
    tree.write(hook.name, hook.text);
    await follow(tree, "### With a DHCP client");
    await assertHandedOver(tree);
    await offer(tree, OTHER_SERVER);
    await tree.must("ifdown eth0 && ifup eth0");
    await assertHandedOver(tree);
    await assertAsks(tree, OTHER_SERVER);
    await goBack(tree, "#### Back to a DHCP client");
    await tree.must("ifdown eth0 && ifup eth0");
    assert.match(tree.read("/etc/resolv.conf"), new RegExp(`^nameserver ${OTHER_SERVER}$`, "m"));
  },

  "In the place of dnsmasq": (tree) =>
    replace(tree, {
      unit: "dnsmasq.service",
      file: "/etc/dnsmasq.d/test.conf",
      text: `no-resolv\nserver=${NETWORK_SERVER}\nlisten-address=127.0.0.1\nbind-interfaces\n`,
    }),

  "In the place of unbound": (tree) =>
    replace(tree, {
      unit: "unbound.service",
      file: "/etc/unbound/unbound.conf.d/test.conf",
      // Its upstream is unsigned, and has no root.
      text: `server:\n  module-config: "iterator"\n  interface: 127.0.0.1\n` +
        `forward-zone:\n  name: "."\n  forward-addr: ${NETWORK_SERVER}\n`,
    }),
};

async function begin(tree: BootedTree, servers: string): Promise<void> {
  await install(tree, servers);
  for (const command of commandsOf("### Start")) await tree.must(command);
}

async function follow(tree: BootedTree, heading: string): Promise<void> {
  await tree.type(commandsOf(heading));
}

/** Types the way back, with a section's commands instead of those that restore a copy. */
async function goBack(tree: BootedTree, heading: string): Promise<void> {
  await follow(tree, heading);
  await tree.must(commandsOf("### The way back").at(-1)!);
}

/** The host queries nodens, and nodens, with an empty cache, the network. */
async function assertHandedOver(tree: BootedTree): Promise<void> {
  assert.equal(tree.read("/etc/resolv.conf"), OWN);
  await tree.must(`systemctl restart nodens.service && ${RESOLVES}`);
}

/** nodens queries only this server of the network. */
async function assertAsks(tree: BootedTree, server: string): Promise<void> {
  const other = server === NETWORK_SERVER ? OTHER_SERVER : NETWORK_SERVER;
  await tree.until(`nodens status | grep -q ' ${server}:53 ' &&
    ! nodens status | grep -q ' ${other}:53 '`);
  await tree.must(RESOLVES);
}

/** Runs the network's DHCP server, which offers a DNS server. */
async function offer(tree: BootedTree, server: string): Promise<void> {
  await tree.must(`systemctl stop network-dhcp.service 2>/dev/null
    systemd-run --quiet --unit network-dhcp -p NetworkNamespacePath=/run/netns/network \\
      dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --interface=eth0 \\
      --dhcp-range=192.0.2.100,192.0.2.110,1h --dhcp-option=option:dns-server,${server}`);
}

async function replace(
  tree: BootedTree,
  { unit, file, text }: { unit: string; file: string; text: string },
): Promise<void> {
  tree.write(file, text);
  tree.write("/etc/resolv.conf", OWN);
  await tree.must(`${NETWORK_UP}\nsystemctl enable --now ${unit}`);
  await tree.until(RESOLVES);
  await install(tree);
  tree.write("/etc/nodens/upstreams.conf", `nameserver ${NETWORK_SERVER}\n`);
  const [disable, start] = commandsOf("### In the place of dnsmasq or unbound");
  await tree.type([disable!.replace("dnsmasq.service", unit), start]);
  assert.equal((await tree.run(`systemctl is-active ${unit}`)).text, "inactive\n");
  await tree.must("systemctl is-active nodens.service");
  await assertHandedOver(tree);
  await assertAsks(tree, NETWORK_SERVER);
}
