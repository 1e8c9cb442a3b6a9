import assert from "node:assert/strict";
import { until } from "../support/run/until.ts";
import { skipFor } from "../support/run/require.ts";
import { hostState, startNodeCache } from "../support/namespaces/node_cache.ts";
import { KUBE_DNS, NodeRig, rigReasons } from "../support/namespaces/node_rig.ts";

const NAMES = Array.from({ length: 500 }, (_, i) => `n${i}.load.cluster.local`);

Deno.test({
  name: "stop: under load with -failopen=false, loses no query of a pod",
  ...skipFor(rigReasons({ programs: ["dnsperf"] })),
  async fn() {
    await using rig = await NodeRig.create();
    const node = rig.nodes[0]!;
    const before = await hostState(rig);
    const nodens = await startNodeCache(rig, { more: ["-failopen=false"] });
    await until(() => /rules for IPv4 put in order/.test(nodens.output), nodens.output);
    // The ports stay: a stuck port would lose all further queries.
    const running = Promise.all(node.pods.map(({ namespace }) =>
      rig.dnsperf(namespace, {
        ...{ server: KUBE_DNS.v4, names: NAMES, clients: 20, timeoutSeconds: 5 },
        ...{ qps: 4000, seconds: 3 },
      })
    ));
    await new Promise((resolve) => setTimeout(resolve, 1200));
    const asked = rig.replicas[0]!.queries();
    assert.equal((await nodens.stop()).code, 0, nodens.output);
    for (const { sent, lost, completed, rcodes, text } of await running) {
      assert.ok(sent >= 5000, text);
      assert.equal(lost, 0, text);
      assert.deepEqual(rcodes, { NOERROR: completed }, text);
    }
    assert.ok(rig.replicas[0]!.queries() > asked + 1000, "kube-dns gets them");
    assert.deepEqual(await hostState(rig), before);
  },
});
