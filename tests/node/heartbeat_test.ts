/** The heartbeat of fail-open depends only on the thread that answers. */
import assert from "node:assert/strict";
import { until as untilTrue } from "../support/run/until.ts";
import { KUBE_DNS, rigReasons } from "../support/namespaces/node_rig.ts";
import { skipFor } from "../support/run/require.ts";
import { inRig, signal, startStandIn, until, whoAnswers } from "../support/namespaces/rules_rig.ts";

const skip = skipFor(rigReasons({ programs: ["dig"] }));

Deno.test({
  name: "heartbeat: continues with a busy control plane, ends with a hanging data plane",
  ...skip,
  fn: () =>
    inRig({ backend: "nft" }, async (rig, node) => {
      const standIn = await startStandIn(rig, node);
      const pod = node.pods[0]!.namespace;
      const ask = () => whoAnswers(rig, pod, KUBE_DNS.v4);
      await until("us", ask);
      signal(standIn, "SIGUSR2");
      await untilTrue(() => standIn.output.includes("BUSY"));
      // Longer than a heartbeat is valid.
      while (!standIn.output.includes("FREE")) assert.equal(await ask(), "us");
      assert.doesNotMatch(standIn.output, /does not answer/);
      signal(standIn, "SIGUSR1");
      await until("another", ask);
    }),
});

Deno.test({
  name: "heartbeat: a removed address has none until it is added again",
  ...skip,
  fn: () =>
    inRig({ backend: "nft" }, async (rig, node) => {
      const standIn = await startStandIn(rig, node);
      const pod = node.pods[0]!.namespace;
      const ask = () => whoAnswers(rig, pod, KUBE_DNS.v4);
      const address = async (verb: string) => {
        const { code, stderr } = await rig.exec(node.namespace, "ip", [
          ...["addr", verb, `${KUBE_DNS.v4}/32`, "dev", "nodelocaldns"],
        ]);
        assert.equal(code, 0, stderr);
      };
      await until("us", ask);
      await address("del");
      const silent = `fail-open: ${KUBE_DNS.v4} does not answer`;
      await untilTrue(() => standIn.output.includes(silent), `it is said: ${standIn.output}`);
      await until("another", ask);
      await address("add");
      await until("us", ask);
      assert.equal((await standIn.stop()).code, 0, standIn.output);
    }),
});
