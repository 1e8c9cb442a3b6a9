/** What a scrape says of rules and fail-open. */
import assert from "node:assert/strict";
import { engaged, inNode, metric, startNodeCache } from "../support/namespaces/node_cache.ts";
import { KUBE_DNS, rigTest } from "../support/namespaces/node_rig.ts";
import { eventually } from "../support/run/eventually.ts";

rigTest("metrics: rules in place, and fail-open that becomes active and ends", {
  needs: ["curl", "dig"],
}, async (rig) => {
  const nodens = await startNodeCache(rig);
  await engaged(nodens);
  const active = `nodens_failopen_active{address="${KUBE_DNS.v4}"}`;
  const becomes = (name: string, value: number) =>
    eventually(async () => assert.equal(await metric(rig, name), value), () => nodens.output);
  await becomes('nodens_node_rules{family="4"}', 1);
  await becomes(active, 0);
  const drop = ["OUTPUT", "-d", KUBE_DNS.v4, "-p", "udp", "--dport", "53", "-j", "DROP"];
  await inNode(rig, "iptables-nft", "-w", "5", "-I", ...drop);
  await becomes(active, 1);
  assert.match(nodens.output, new RegExp(`fail-open: ${KUBE_DNS.v4} does not answer`));
  await inNode(rig, "iptables-nft", "-w", "5", "-D", ...drop);
  await becomes(active, 0);
});
