import assert from "node:assert/strict";
import { run } from "../bench/short_run.ts";

function near(one: number, other: number, share: number, what: string): void {
  assert.ok(Math.abs(one - other) <= share * other, `${what}: ${one} is far from ${other}`);
}

Deno.test("a sample of the nodes stands for all of them, with room at the cluster DNS and without", () => {
  // A part of a replica is less than pods ask, and than node-cache asks after an outage.
  const cases = [
    ["no node cache", [2, 0.08]],
    ["node-cache", [2, 0.08]],
    ["nodens", [2]],
  ] as const;
  for (const [name, capacities] of cases) {
    for (const replicas of capacities) {
      const [some, all] = [16, 48].map((sample) =>
        run(name, "outage", { nodes: 48, sample, replicas })
      );
      const what = `${name}, ${replicas} replicas`;
      near(some!.steady.cluster, all!.steady.cluster, 0.1, `steady load, ${what}`);
      // The busiest second scatters more than what is summed up.
      near(some!.after.peak, all!.after.peak, 0.15, `peak, ${what}`);
      near(some!.during.failed, all!.during.failed, 0.1, `failures, ${what}`);
    }
  }
});
