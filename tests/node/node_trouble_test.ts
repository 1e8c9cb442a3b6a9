/** Queries while nodens dies, hangs or competes with other programs. */
import assert from "node:assert/strict";
import { until } from "../support/run/until.ts";
import {
  engaged,
  hostState,
  inNode,
  LINK_LOCAL,
  ownRules,
  served,
  startNodeCache,
  stopped,
  whoAnswers,
} from "../support/namespaces/node_cache.ts";
import { type Backend, KUBE_DNS, rigTest } from "../support/namespaces/node_rig.ts";

const PROGRAMS = ["dig", "curl"];

for (const backend of ["nft", "legacy"] as Backend[]) {
  rigTest(`${backend}: nodens is stopped, killed and restarted, with all rules installed`, {
    backend,
    ipv6: true,
    needs: PROGRAMS,
  }, async (rig) => {
    const before = await hostState(rig);
    const localIps = [LINK_LOCAL, KUBE_DNS.v4, KUBE_DNS.v6];
    const services = [KUBE_DNS.v4, KUBE_DNS.v6];
    const nodens = await startNodeCache(rig, { localIps });
    await engaged(nodens, KUBE_DNS.v4);
    await engaged(nodens, KUBE_DNS.v6);
    await served(rig, "cache", services);
    const during = await hostState(rig);

    Deno.kill(nodens.pid, "SIGSTOP");
    await served(rig, "cluster", services);
    assert.deepEqual(await hostState(rig), during, "nothing has changed");
    Deno.kill(nodens.pid, "SIGCONT");
    await served(rig, "cache", services);

    Deno.kill(nodens.pid, "SIGKILL");
    await served(rig, "cluster", services);
    await nodens.ended;
    assert.deepEqual(await hostState(rig), during, "everything stays");

    const next = await startNodeCache(rig, { localIps });
    await engaged(next, KUBE_DNS.v4);
    await engaged(next, KUBE_DNS.v6);
    assert.match(next.output, /adopted the link/);
    await served(rig, "cache", services);
    assert.deepEqual(await hostState(rig), during, "no duplicates");
    await stopped(rig, next, before);
  });

  rigTest(`${backend}: nodens adopts and removes node-cache's leftovers`, {
    backend,
    needs: PROGRAMS,
  }, async (rig) => {
    const before = await hostState(rig);
    // As node-cache leaves it: a link with some addresses, some rules twice.
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
    await served(rig, "cache", [KUBE_DNS.v4, LINK_LOCAL]);
    // Without a heartbeat, such a rule would send queries to a dead nodens.
    const plain = own.filter((rule) =>
      /PREROUTING -d 10\.96\.0\.10/.test(rule) && !rule.includes("--name nodens")
    );
    assert.deepEqual(plain.filter((rule) => rule.includes("raw")), []);
    await stopped(rig, nodens, before);
  });

  rigTest(`${backend}: nodens restores removed interface, addresses and rules`, {
    backend,
    needs: PROGRAMS,
  }, async (rig) => {
    const before = await hostState(rig);
    const nodens = await startNodeCache(rig);
    await engaged(nodens);
    const during = await hostState(rig);

    await inNode(rig, "ip", "addr", "del", `${KUBE_DNS.v4}/32`, "dev", "nodelocaldns");
    await until(() => /changed from outside: added 10\.96\.0\.10\/32/.test(nodens.output));
    await served(rig, "cache");
    await inNode(rig, "ip", "link", "del", "nodelocaldns");
    await until(() => /changed from outside: made the link/.test(nodens.output));
    await served(rig, "cache", [KUBE_DNS.v4, LINK_LOCAL]);

    await inNode(rig, "iptables", "-w", "5", "-t", "raw", "-F");
    // Queries are answered meanwhile.
    const pod = rig.nodes[0]!.pods[0]!.namespace;
    assert.notEqual(await whoAnswers(rig, pod, KUBE_DNS.v4), "nobody");
    const back = async () =>
      JSON.stringify(ownRules(await hostState(rig)).sort()) ===
        JSON.stringify(ownRules(during).sort());
    const limitMs = performance.now() + 20_000;
    while (!await back()) assert.ok(performance.now() < limitMs, nodens.output);
    await served(rig, "cache");
    await stopped(rig, nodens, before);
  });
}

rigTest(
  "a foreign rule above ours is reported and stays",
  { needs: PROGRAMS },
  async (rig) => {
    const nodens = await startNodeCache(rig, { more: ["-syncinterval", "1"] });
    await engaged(nodens);
    const drop = ["PREROUTING", "-p", "udp", "-d", LINK_LOCAL, "--dport", "53", "-j", "DROP"];
    await inNode(rig, "iptables", "-w", "5", "-t", "raw", "-I", ...drop);
    await until(() => /\[WARNING\] iptables: a rule above those of nodens/.test(nodens.output));
    assert.match(nodens.output, /takes udp traffic to 169\.254\.20\.10 port 53: .*DROP/);
    await stopped(rig, nodens);
    const { rules } = await hostState(rig);
    assert.equal(
      rules.filter((rule) => rule.includes("-j DROP") && rule.includes("169.254")).length,
      1,
    );
  },
);

rigTest("queries to the link-local address go to -failopen-to while nodens is down", {
  needs: PROGRAMS,
}, async (rig) => {
  const before = await hostState(rig);
  const more = ["-failopen-to", rig.replicas[0]!.addresses.v4];
  const nodens = await startNodeCache(rig, { more });
  await engaged(nodens, LINK_LOCAL);
  const servers = [LINK_LOCAL, KUBE_DNS.v4];
  await served(rig, "cache", servers);
  Deno.kill(nodens.pid, "SIGSTOP");
  await served(rig, "cluster", servers);
  Deno.kill(nodens.pid, "SIGCONT");
  await served(rig, "cache", servers);
  Deno.kill(nodens.pid, "SIGKILL");
  await served(rig, "cluster", servers);
  await nodens.ended;
  const next = await startNodeCache(rig, { more });
  await engaged(next, LINK_LOCAL);
  await served(rig, "cache", servers);
  await stopped(rig, next, before);
});
