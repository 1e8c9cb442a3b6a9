import assert from "node:assert/strict";
import { BEHAVIOURS } from "../../bench/cluster/behaviours.ts";
import type { Event } from "../../bench/cluster/events.ts";
import { TIMELINE, type Timeline } from "../../bench/cluster/parameters.ts";
import { type ClusterOptions, runCluster } from "../../bench/cluster/run.ts";
import { summarize, type Summary } from "../../bench/cluster/summary.ts";

/** Shorter than the tables', and long enough for every retained TTL. */
const SHORT: Timeline = {
  ...TIMELINE,
  steadyFrom: 40,
  eventFrom: 80,
  outage: 20,
  restart: 10,
  after: 30,
  nodesWithin: 5,
  podsWithin: 10,
};

function run(name: string, event: Event, options: Partial<ClusterOptions>): Summary {
  const behaviour = BEHAVIOURS.find((one) => one.name === name)!;
  const cluster = { nodes: 10, sample: 10, replicas: 2, seed: 1, timeline: SHORT, ...options };
  return summarize(runCluster(behaviour, { event, cluster }));
}

function near(one: number, other: number, share: number, what: string): void {
  assert.ok(Math.abs(one - other) <= share * other, `${what}: ${one} is far from ${other}`);
}

Deno.test("cluster model: equal seeds give equal figures, other seeds others", () => {
  const figures = (seed: number) => {
    const { steady, during, after } = run("node-cache", "outage", { seed });
    return [steady.cluster, steady.queries, during.failed, after.peak].map((value) =>
      Number(value.toPrecision(5))
    );
  };
  assert.deepEqual(figures(1), GIVEN);
  assert.notDeepEqual(figures(2), GIVEN);
  assert.deepEqual(
    run("nodens, all", "restart", { nodes: 4, sample: 4 }),
    run("nodens, all", "restart", { nodes: 4, sample: 4 }),
  );
});

/**
 * Of node-cache in ten nodes: steady load, queries of pods, failed share, peak after the outage.
 */
const GIVEN = [192.6, 666.25, 0.14968, 941];

Deno.test("cluster model: a sample of nodes represents all, also under overload", () => {
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
      // The busiest second scatters more than sums.
      near(some!.after.peak, all!.after.peak, 0.15, `peak, ${what}`);
      near(some!.during.failed, all!.during.failed, 0.1, `failures, ${what}`);
    }
  }
});

Deno.test("cluster model: each feature of nodens improves its figure", () => {
  const cluster = { nodes: 8, sample: 8 };
  const of = (name: string, event: Event) => run(name, event, cluster);
  const plain = of("nodens", "outage");
  const nodeCache = of("node-cache", "outage");
  assert.ok(plain.steady.cluster < 0.95 * nodeCache.steady.cluster, "coalescing");
  assert.ok(plain.after.peak < 0.7 * nodeCache.after.peak, "fewer queries wait for the end");
  assert.ok(nodeCache.steady.cluster < 0.6 * of("no node cache", "outage").steady.cluster);

  const stale = of("nodens, stale", "outage");
  assert.ok(stale.during.failed < 0.2 * plain.during.failed, "stale answers");
  assert.ok(stale.after.healed <= plain.after.healed);

  const prefetch = of("nodens, prefetch", "outage");
  assert.ok(prefetch.steady.hits > plain.steady.hits + 0.01, "prefetch");
  assert.ok(prefetch.steady.cluster > plain.steady.cluster, "cost of prefetch");

  const persist = of("nodens, persist", "update");
  assert.ok(persist.after.firstMinute < of("nodens", "update").after.firstMinute, "persist");
  assert.ok(of("nodens, all", "update").after.hits > persist.after.hits + 0.2);
});

Deno.test("cluster model: overload of the cluster DNS loses queries without runaway growth", () => {
  const { steady, during, after } = run("no node cache", "outage", { replicas: 0.005 });
  assert.ok(steady.queries > 0.005 * 33_669, "more than there is room for");
  assert.ok(steady.p99Ms > 5000);
  assert.ok(during.failed > 0.3 && after.healed > 0);
});
