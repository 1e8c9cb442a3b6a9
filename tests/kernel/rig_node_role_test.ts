/** Hits in the kernel in the node role: its own interface, rules for iptables, kube-dns taken over. */
import assert from "node:assert/strict";
import { query } from "../support/kernel/asker.ts";
import { Asker } from "../support/kernel/asker.ts";
import { KUBE_DNS, NodeRig, rigReasons } from "../support/namespaces/node_rig.ts";
import {
  engaged,
  hostState,
  LINK_LOCAL,
  metric,
  startNodeCache,
  stopped,
} from "../support/namespaces/node_cache.ts";
import { skipFor } from "../support/run/require.ts";

const NAME = "kubernetes.default.svc.cluster.local";

Deno.test({
  name: "kernel hits: the node role answers pods at its own and at kube-dns's address",
  ...skipFor(rigReasons({ programs: ["curl"] })),
  async fn() {
    await using rig = await NodeRig.create();
    const state = await hostState(rig);
    const nodens = await startNodeCache(rig, { more: ["-kernel-hits", "auto"] });
    await engaged(nodens);
    const answers = async () => await metric(rig, "nodens_kernel_answers_total", 9253) ?? 0;
    const { pods, namespace } = rig.nodes[0]!;
    for (const from of [pods[0]!.namespace, pods[1]!.namespace, namespace]) {
      for (const server of [LINK_LOCAL, KUBE_DNS.v4]) {
        const asker = new Asker(from, server, { connected: from === namespace });
        try {
          const before = await answers();
          let now = before;
          for (let turn = 0; turn < 10 && now === before; turn++) {
            for (let i = 0; i < 10; i++) {
              const answer = await asker.ask(query(NAME));
              assert.equal(answer?.slice(-4).join("."), "10.96.0.1", nodens.output);
            }
            now = await answers();
          }
          assert.ok(
            now > before,
            `${from} at ${server}: the kernel answers nothing\n${nodens.output}`,
          );
        } finally {
          await asker.close();
        }
      }
    }
    await stopped(rig, nodens, state);
  },
});
