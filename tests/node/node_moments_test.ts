/** nodens stops or is silent, with several flags and at bad moments. */
import assert from "node:assert/strict";
import { until } from "../support/run/until.ts";
import {
  engaged,
  everywhere,
  hostState,
  inNode,
  LINK_LOCAL,
  ownRules,
  served,
  startNodeCache,
  whoAnswers,
} from "../support/namespaces/node_cache.ts";
import { KUBE_DNS, NodeRig, type RigNodens, rigTest } from "../support/namespaces/node_rig.ts";

const HOLD = new URL("../support/processes/hold_thread.ts", import.meta.url).pathname;

/** All starting commands have become the process. */
const signal = ({ pid }: RigNodens, name: Deno.Signal) => Deno.kill(pid, name);

const log = (nodens: RigNodens, line: RegExp) =>
  until(() => line.test(nodens.output), `${line} in ${nodens.output}`);

async function start(rig: NodeRig, ...more: string[]): Promise<RigNodens> {
  const nodens = await startNodeCache(rig, { more });
  await engaged(nodens);
  return nodens;
}

rigTest(
  "stop: a query that waits for its upstream is answered",
  { needs: ["dig"] },
  async (rig) => {
    const node = rig.nodes[0]!;
    const pod = node.pods[0]!.namespace;
    const before = await hostState(rig);
    const nodens = await start(rig);
    assert.equal(await whoAnswers(rig, pod, KUBE_DNS.v4, "+time=5"), "cache");
    const { pid } = rig.replicas[0]!;
    Deno.kill(pid!, "SIGSTOP");
    const waiting = rig.dig(pod, `@${KUBE_DNS.v4}`, "+time=8", "late.load.cluster.local");
    // Until the query is in a connection of the stopped replica.
    const { namespace } = rig.replicas[0]!;
    const sockets = async () => (await rig.exec(namespace, "cat", ["/proc/net/tcp"])).stdout;
    while (!/:0035 \S+ 01 \S+:(?!0{8})/.test(await sockets()));
    const ended = nodens.stop();
    await log(nodens, /SIGTERM: stopping/);
    while (/src=/.test(await inNode(rig, "cat", "/proc/net/xt_recent/nodens")));
    Deno.kill(pid!, "SIGCONT");
    assert.deepEqual((await waiting).data, ["10.96.1.1"]);
    assert.equal((await ended).code, 0, nodens.output);
    assert.deepEqual(await hostState(rig), before);
  },
);

rigTest(
  "with -failopen=false, queries are unanswered while nodens is stopped",
  { needs: ["dig"] },
  async (rig) => {
    const nodens = await startNodeCache(rig, { more: ["-failopen=false"] });
    await log(nodens, /rules for IPv4 put in order/);
    await served(rig, "cache");
    assert.doesNotMatch((await hostState(rig)).rules.join("\n"), /-m recent/);
    signal(nodens, "SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, 2500));
    const answers = await Promise.all(everywhere(rig, KUBE_DNS.v4).map((ask) => ask()));
    assert.deepEqual([...new Set(answers)], ["nobody"]);
    signal(nodens, "SIGCONT");
    await served(rig, "cache");
  },
);

rigTest(
  "fail-open bypasses a hanging data plane, and the process ends",
  { needs: ["dig"] },
  async (rig) => {
    const node = rig.nodes[0]!;
    const nodens = await start(rig);
    await served(rig, "cache");
    const withRules = await hostState(rig);
    const holder = await rig.startIn(
      node.namespace,
      Deno.execPath(),
      ["run", "-A", HOLD, String(nodens.pid)],
      { ready: (output) => output.includes("HELD") },
    );
    await served(rig, "cluster");
    await log(nodens, /\[FATAL\] the data plane has not answered for 5 s/);
    await holder.stop();
    assert.equal((await nodens.ended).code, 3, nodens.output);
    await served(rig, "cluster");
    assert.deepEqual(await hostState(rig), withRules);
  },
);

rigTest("-setupiptables=false makes no rules, and -setupinterface=false keeps the interface", {
  needs: ["dig"],
}, async (rig) => {
  const before = await hostState(rig);
  const alone = await startNodeCache(rig, { more: ["-setupiptables=false"] });
  await served(rig, "cache", [LINK_LOCAL]);
  const { rules, links } = await hostState(rig);
  assert.deepEqual(rules, before.rules);
  assert.ok(links.some((one) => one.endsWith(`nodelocaldns inet ${LINK_LOCAL}/32`)));
  signal(alone, "SIGKILL");
  await alone.ended;

  // The killed process's interface now counts as another program's.
  const guest = await start(rig, "-setupinterface=false");
  await served(rig, "cache");
  await guest.stop();
  const left = await hostState(rig);
  assert.deepEqual(ownRules(left), []);
  assert.deepEqual(left.links, links);
});
