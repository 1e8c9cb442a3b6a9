/** The same queries are counted alike, whether the kernel has answered them or not. */
import assert from "node:assert/strict";
import { query } from "../support/kernel/asker.ts";
import { growth } from "../support/kernel/metrics.ts";
import { SERVED } from "../support/kernel/pod_network.ts";
import { answersOf, pause } from "../support/kernel/pod_rig.ts";
import { rigTest } from "../support/kernel/rig_test_case.ts";

const COUNTED = [
  "coredns_dns_requests_total",
  "coredns_dns_responses_total",
  "coredns_dns_do_requests_total",
  ...["request_size_bytes", "response_size_bytes"].flatMap((name) =>
    ["count", "sum", "bucket"].map((part) => `coredns_dns_${name}_${part}`)
  ),
  "coredns_dns_request_duration_seconds_count",
  "coredns_cache_hits_total",
  "coredns_cache_requests_total",
  "coredns_cache_misses_total",
];
/** Name, type, times. */
const ASKED = [
  ["al0", 1, 7],
  ["ql0", 28, 5],
  ["tl0", 16, 3],
  ["sl0", 33, 2],
  ["vl0", 65, 4],
  ["nl0", 1, 6],
  ["xl0", 1, 8],
  ["cl0", 1, 9],
  ["al1", 15, 2],
] as const;

rigTest("answers of the kernel are counted like those of userland", async (rig) => {
  const kernel = await rig.nodens({ side: 0 });
  const userland = await rig.nodens({ side: 1, kernelHits: null });
  await rig.untilInKernel(kernel, rig.asker(rig.pods[0]));
  const askAll = async (side: 0 | 1, times: (n: number) => number) => {
    for (const family of ["v4", "v6"] as const) {
      for (const from of [rig.pods[0], null]) {
        const asker = rig.asker(from, SERVED[family][side]);
        for (const options of [{}, { edns: 1232 }, { edns: 1232, dnssecOk: true }]) {
          for (const [label, type, count] of ASKED) {
            for (let n = times(count); n > 0; n--) {
              const answer = await asker.ask(query(`${label}.kernel.example`, type, options));
              assert.ok(answer !== null, label);
            }
          }
        }
      }
    }
  };
  for (const side of [0, 1] as const) await askAll(side, () => 3);
  await pause(100);
  const [kernelBefore, userlandBefore] = [await kernel.samples(), await userland.samples()];
  const answersBefore = await answersOf(kernel);
  for (const side of [0, 1] as const) await askAll(side, (count) => count);
  const grown = (text: Record<string, number>, side: 0 | 1) => {
    const served = [...Object.values(SERVED)].map((addresses) => addresses[side]);
    return Object.fromEntries(
      Object.entries(text).map(([series, value]) => [
        served.reduce((name, address) => name.replaceAll(address, "SERVED"), series),
        value,
      ]),
    );
  };
  assert.deepEqual(
    grown(growth(kernelBefore, await kernel.samples(), COUNTED), 0),
    grown(growth(userlandBefore, await userland.samples(), COUNTED), 1),
  );
  const queries = ASKED.reduce((total, [, , count]) => total + count, 0) * 12;
  const inKernel = await answersOf(kernel) - answersBefore;
  // Texts of 1,100 octets are too large without EDNS.
  assert.ok(inKernel >= queries * 0.85, `${inKernel} of ${queries}`);
});
