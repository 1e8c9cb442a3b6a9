/** What becomes of queries when nodens in the place of node-cache dies, hangs or is worked against. */
import assert from "node:assert/strict";
import { until } from "../support/run/until.ts";
import { skipFor } from "../support/run/require.ts";
import {
  engaged,
  hostState,
  LINK_LOCAL,
  ownRules,
  startNodeCache,
  untilAnswers,
  whoAnswers,
} from "../support/namespaces/node_cache.ts";
import { type Backend, KUBE_DNS, NodeRig, rigReasons } from "../support/namespaces/node_rig.ts";

const PROGRAMS = ["dig", "curl"];

/** Runs a command in the node; throws where it fails. */
async function inNode(rig: NodeRig, command: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await rig.exec(rig.nodes[0]!.namespace, command, args);
  assert.equal(code, 0, `${command} ${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** Asks the Service's address from pods and the host, over UDP and TCP, until `who` answers all. */
async function everywhere(
  rig: NodeRig,
  who: "cache" | "cluster",
  servers: readonly string[] = [KUBE_DNS.v4],
): Promise<void> {
  const { namespace, pods } = rig.nodes[0]!;
  await Promise.all(
    [namespace, pods[0]!.namespace].flatMap((from) =>
      servers.flatMap((server) =>
        ["+notcp", "+tcp"].map((words) =>
          untilAnswers(who, () => whoAnswers(rig, from, server, words))
        )
      )
    ),
  );
}

for (const backend of ["nft", "legacy"] as Backend[]) {
  Deno.test({
    name: `${backend}: stopped, killed and started again, with every rule in place`,
    ...skipFor(rigReasons({ backend, ipv6: true, programs: PROGRAMS })),
    fn: async () => {
      await using rig = await NodeRig.create({ backend, ipv6: true });
      const before = await hostState(rig);
      const localIps = [LINK_LOCAL, KUBE_DNS.v4, KUBE_DNS.v6];
      const services = [KUBE_DNS.v4, KUBE_DNS.v6];
      const nodens = await startNodeCache(rig, { localIps });
      await engaged(nodens, KUBE_DNS.v4);
      await engaged(nodens, KUBE_DNS.v6);
      await everywhere(rig, "cache", services);
      const during = await hostState(rig);

      Deno.kill(nodens.pid, "SIGSTOP");
      await everywhere(rig, "cluster", services);
      assert.deepEqual(await hostState(rig), during, "nothing has changed");
      Deno.kill(nodens.pid, "SIGCONT");
      await everywhere(rig, "cache", services);

      Deno.kill(nodens.pid, "SIGKILL");
      await everywhere(rig, "cluster", services);
      await nodens.ended;
      assert.deepEqual(await hostState(rig), during, "all that it made is there");

      const next = await startNodeCache(rig, { localIps });
      await engaged(next, KUBE_DNS.v4);
      await engaged(next, KUBE_DNS.v6);
      assert.match(next.output, /adopted the link/);
      await everywhere(rig, "cache", services);
      assert.deepEqual(await hostState(rig), during, "nothing is there twice");
      assert.equal((await next.stop()).code, 0, next.output);
      assert.deepEqual(await hostState(rig), before);
    },
  });

  Deno.test({
    name: `${backend}: what node-cache left is taken over and taken away`,
    ...skipFor(rigReasons({ backend, programs: PROGRAMS })),
    fn: async () => {
      await using rig = await NodeRig.create({ backend });
      const before = await hostState(rig);
      // As node-cache has it, the link with other addresses, some of its rules twice.
      await inNode(rig, "ip", "link", "add", "nodelocaldns", "type", "bridge");
      await inNode(rig, "ip", "addr", "add", `${KUBE_DNS.v4}/32`, "dev", "nodelocaldns");
      const skip = ["-m", "comment", "--comment", "NodeLocal DNS Cache: skip conntrack"];
      const left = [
        ["PREROUTING", "-d", KUBE_DNS.v4, "-p", "tcp", "--dport", "53"],
        ["PREROUTING", "-d", KUBE_DNS.v4, "-p", "udp", "--dport", "53"],
        ["OUTPUT", "-s", KUBE_DNS.v4, "-p", "udp", "--sport", "53"],
        ["OUTPUT", "-s", KUBE_DNS.v4, "-p", "udp", "--sport", "53"],
      ];
      for (const [chain, ...match] of left) {
        const rule = ["-t", "raw", "-A", chain!, ...match, "-j", "NOTRACK", ...skip];
        await inNode(rig, "iptables", "-w", "5", ...rule);
      }
      const nodens = await startNodeCache(rig);
      await engaged(nodens);
      assert.match(nodens.output, /adopted the link that was there, a bridge/);
      const own = ownRules(await hostState(rig));
      assert.deepEqual(own, [...new Set(own)], "each once");
      await everywhere(rig, "cache", [KUBE_DNS.v4, LINK_LOCAL]);
      // Without the heartbeat in it, such a rule would lead queries to a dead nodens.
      const plain = own.filter((rule) =>
        /PREROUTING -d 10\.96\.0\.10/.test(rule) && !rule.includes("--name nodens")
      );
      assert.deepEqual(plain.filter((rule) => rule.includes("raw")), []);
      assert.equal((await nodens.stop()).code, 0, nodens.output);
      assert.deepEqual(await hostState(rig), before);
    },
  });

  Deno.test({
    name: `${backend}: interface, addresses and rules that are taken away come back`,
    ...skipFor(rigReasons({ backend, programs: PROGRAMS })),
    fn: async () => {
      await using rig = await NodeRig.create({ backend });
      const before = await hostState(rig);
      const nodens = await startNodeCache(rig);
      await engaged(nodens);
      const during = await hostState(rig);

      await inNode(rig, "ip", "addr", "del", `${KUBE_DNS.v4}/32`, "dev", "nodelocaldns");
      await until(() => /changed from outside: added 10\.96\.0\.10\/32/.test(nodens.output));
      await everywhere(rig, "cache");
      await inNode(rig, "ip", "link", "del", "nodelocaldns");
      await until(() => /changed from outside: made the link/.test(nodens.output));
      await everywhere(rig, "cache", [KUBE_DNS.v4, LINK_LOCAL]);

      await inNode(rig, "iptables", "-w", "5", "-t", "raw", "-F");
      // Nobody is without an answer meanwhile.
      const pod = rig.nodes[0]!.pods[0]!.namespace;
      assert.notEqual(await whoAnswers(rig, pod, KUBE_DNS.v4), "nobody");
      const back = async () =>
        JSON.stringify(ownRules(await hostState(rig)).sort()) ===
          JSON.stringify(ownRules(during).sort());
      const limitMs = performance.now() + 20_000;
      while (!await back()) assert.ok(performance.now() < limitMs, nodens.output);
      await everywhere(rig, "cache");
      assert.equal((await nodens.stop()).code, 0, nodens.output);
      assert.deepEqual(await hostState(rig), before);
    },
  });
}

Deno.test({
  name: "a stranger's rule above is named, and left where it is",
  ...skipFor(rigReasons({ programs: PROGRAMS })),
  fn: async () => {
    await using rig = await NodeRig.create();
    const nodens = await startNodeCache(rig, { more: ["-syncinterval", "1"] });
    await engaged(nodens);
    const drop = ["PREROUTING", "-p", "udp", "-d", LINK_LOCAL, "--dport", "53", "-j", "DROP"];
    await inNode(rig, "iptables", "-w", "5", "-t", "raw", "-I", ...drop);
    await until(() => /\[WARNING\] iptables: a rule above those of nodens/.test(nodens.output));
    assert.match(nodens.output, /takes udp traffic to 169\.254\.20\.10 port 53: .*DROP/);
    assert.equal((await nodens.stop()).code, 0, nodens.output);
    const { rules } = await hostState(rig);
    assert.equal(
      rules.filter((rule) => rule.includes("-j DROP") && rule.includes("169.254")).length,
      1,
    );
  },
});

Deno.test({
  name: "queries to the link-local address go to -failopen-to while nodens does not answer",
  ...skipFor(rigReasons({ programs: PROGRAMS })),
  fn: async () => {
    await using rig = await NodeRig.create();
    const before = await hostState(rig);
    const more = ["-failopen-to", rig.replicas[0]!.addresses.v4];
    const nodens = await startNodeCache(rig, { more });
    await engaged(nodens, LINK_LOCAL);
    const servers = [LINK_LOCAL, KUBE_DNS.v4];
    await everywhere(rig, "cache", servers);
    Deno.kill(nodens.pid, "SIGSTOP");
    await everywhere(rig, "cluster", servers);
    Deno.kill(nodens.pid, "SIGCONT");
    await everywhere(rig, "cache", servers);
    Deno.kill(nodens.pid, "SIGKILL");
    await everywhere(rig, "cluster", servers);
    await nodens.ended;
    const next = await startNodeCache(rig, { more });
    await engaged(next, LINK_LOCAL);
    await everywhere(rig, "cache", servers);
    assert.equal((await next.stop()).code, 0, next.output);
    assert.deepEqual(await hostState(rig), before);
  },
});
