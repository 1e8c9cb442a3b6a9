/**
 * The node role on a virtual machine's kernel with dummy links, booted by `kernels_test.ts`. Each
 * step is a promise of docs/kubernetes.md.
 */
import assert from "node:assert/strict";
import { until } from "../../support/run/until.ts";
import {
  engaged,
  type HostState,
  hostState,
  LINK_LOCAL,
  NO_ERRORS,
  ownRules,
  setupErrors,
  startNodeCache,
  untilAnswers,
  whoAnswers,
} from "../../support/namespaces/node_cache.ts";
import {
  type Backend,
  KUBE_DNS,
  NodeRig,
  type RigNodens,
} from "../../support/namespaces/node_rig.ts";

const SERVING_ALONE = /the other process has stopped; serving alone/;

async function start(rig: NodeRig): Promise<RigNodens> {
  const nodens = await startNodeCache(rig);
  await engaged(nodens);
  return nodens;
}

/** Waits until `who` answers pod and host, over UDP and TCP. */
async function answered(rig: NodeRig, who: "cache" | "cluster"): Promise<void> {
  const { namespace, pods } = rig.nodes[0]!;
  for (const from of [pods[0]!.namespace, namespace]) {
    for (const transport of ["+notcp", "+tcp"]) {
      await untilAnswers(who, () => whoAnswers(rig, from, KUBE_DNS.v4, transport));
    }
  }
}

async function killed(nodens: RigNodens): Promise<void> {
  Deno.kill(nodens.pid, "SIGKILL");
  await nodens.ended;
}

for (const backend of ["nft", "legacy"] as Backend[]) {
  Deno.test(backend, async (t) => {
    await using rig = await NodeRig.create({ backend });
    const { namespace, pods } = rig.nodes[0]!;
    const before = await hostState(rig);
    let nodens = await start(rig);
    const whole = await hostState(rig);

    await t.step("the interface is a dummy link with the role's addresses", async () => {
      const list = await rig.exec(namespace, "ip", ["-details", "link", "show", "nodelocaldns"]);
      assert.match(list.stdout, /\bdummy\b/, list.stderr);
      for (const address of [LINK_LOCAL, KUBE_DNS.v4]) {
        const line = `nodelocaldns inet ${address}/32`;
        assert.ok(whole.links.some((link) => link.endsWith(line)), whole.links.join("\n"));
      }
      assert.match(nodens.output, /made the link, a dummy/);
    });
    await t.step("the rules are only in this backend, with the best fail-open", async () => {
      const own = ownRules(whole);
      assert.ok(own.some((rule) => /-m recent/.test(rule) && /-m socket/.test(rule)), "fail-open");
      assert.deepEqual(own.filter((rule) => !rule.includes(` ${backend} `)), []);
      assert.doesNotMatch(nodens.output, /\[(WARNING|ERROR)\] (iptables|interface)/);
      assert.deepEqual(await setupErrors(rig), NO_ERRORS);
    });
    await t.step("the cache answers pods and host, over UDP and TCP", async () => {
      await answered(rig, "cache");
      for (const name of ["n1.load.cluster.local", "a.example.org"]) {
        const reply = await rig.dig(pods[0]!.namespace, `@${KUBE_DNS.v4}`, name);
        assert.equal(reply.answer?.status, "NOERROR", reply.text);
      }
    });
    await t.step("after kill -9, the cluster's DNS answers with all rules installed", async () => {
      await killed(nodens);
      await answered(rig, "cluster");
      assert.deepEqual(await hostState(rig), whole);
    });
    await t.step("the next process adopts interface and rules", async () => {
      nodens = await start(rig);
      assert.match(nodens.output, /adopted the link that was there, a dummy/);
      assert.doesNotMatch(nodens.output, /put in order/);
      await answered(rig, "cache");
    });
    // The backend makes no difference to two processes.
    if (backend === "nft") nodens = await rollOver(t, rig, { old: nodens, whole });
    await t.step("SIGTERM restores the node", async () => {
      assert.equal((await nodens.stop()).code, 0, nodens.output);
      assert.doesNotMatch(nodens.output, /\[(ERROR|FATAL)\]/);
      assert.deepEqual(await hostState(rig), before);
      await answered(rig, "cluster");
    });
  });
}

/** A second process replaces the first, and a third is killed. Returns the serving one. */
async function rollOver(
  t: Deno.TestContext,
  rig: NodeRig,
  { old, whole }: { old: RigNodens; whole: HostState },
): Promise<RigNodens> {
  let serving = old;
  await t.step("roll-over: the old process stops without removing anything", async () => {
    const next = await start(rig);
    assert.match(next.output, /another process is bound to .*; starting beside it/);
    assert.equal((await old.stop()).code, 0, old.output);
    await until(() => SERVING_ALONE.test(next.output), next.output);
    serving = next;
    assert.deepEqual(await hostState(rig), whole);
    await answered(rig, "cache");
  });
  await t.step("roll-over: kill -9 of the new process changes nothing", async () => {
    await killed(await start(rig));
    assert.deepEqual(await hostState(rig), whole);
    await answered(rig, "cache");
  });
  return serving;
}
