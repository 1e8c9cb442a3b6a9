import assert from "node:assert/strict";
import type { Event } from "../../bench/cluster/events.ts";
import { run } from "./short_run.ts";

Deno.test("a seed gives the same figures every time, and another one others", () => {
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

/** Of node-cache in ten nodes: steady load, queries of pods, failed share, peak after the outage. */
const GIVEN = [192.6, 666.25, 0.14968, 941];

Deno.test("what nodens adds shows where it should", () => {
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
  assert.ok(prefetch.steady.cluster > plain.steady.cluster, "and what it costs");

  const persist = of("nodens, persist", "update");
  assert.ok(persist.after.firstMinute < of("nodens", "update").after.firstMinute, "persist");
  assert.ok(of("nodens, all", "update").after.hits > persist.after.hits + 0.2);
});

Deno.test("with more load than the cluster DNS takes, queries are lost and nothing runs away", () => {
  const { steady, during, after } = run("no node cache", "outage", { replicas: 0.005 });
  assert.ok(steady.queries > 0.005 * 33_669, "more than there is room for");
  assert.ok(steady.p99Ms > 5000);
  assert.ok(during.failed > 0.3 && after.healed > 0);
});
