import assert from "node:assert/strict";
import { LatencyDigest, percentilesOf } from "../../src/upstream/server/latency.ts";

function digest(durations: readonly number[]): readonly number[] {
  const latency = new LatencyDigest();
  for (const duration of durations) latency.add(duration);
  return latency.counts;
}

Deno.test("latency: percentiles are right within a tenth", () => {
  for (const scale of [0.2, 1, 7, 60]) {
    const durations = Array.from({ length: 1000 }, (_, i) => (i + 1) * scale / 10);
    const { p50, p90, p99 } = percentilesOf([digest(durations)])!;
    for (const [found, exact] of [[p50, 50], [p90, 90], [p99, 99]] as const) {
      assert.ok(Math.abs(found / (exact * scale) - 1) < 0.12, `${found} for ${exact * scale}`);
    }
  }
});

Deno.test("latency: digests of several data planes are one", () => {
  const slow = digest(Array(20).fill(800));
  assert.ok(percentilesOf([digest(Array(980).fill(1)), slow])!.p99 > 700);
  assert.ok(percentilesOf([digest(Array(980).fill(1)), slow])!.p90 < 1.2);
});

Deno.test("latency: recent replies outweigh older ones", () => {
  const durations = [...Array(100_000).fill(1), ...Array(20_000).fill(100)];
  assert.ok(percentilesOf([digest(durations)])!.p50 > 90);
});

Deno.test("latency: there are no percentiles before the first reply, or of nonsense", () => {
  assert.equal(percentilesOf([]), null);
  assert.equal(percentilesOf([digest([NaN, -1, Infinity])]), null);
  assert.deepEqual(Object.keys(percentilesOf([digest([0, 1e9])])!), ["p50", "p90", "p99"]);
});
