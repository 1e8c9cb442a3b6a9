import assert from "node:assert/strict";
import {
  LATENCY_BUCKETS,
  latencyBucket,
  latencyQuantile,
} from "../../../src/engine/observe/latency.ts";

function countsOf(times: readonly number[]): number[] {
  const counts = new Array<number>(LATENCY_BUCKETS).fill(0);
  for (const ms of times) counts[latencyBucket(ms)]!++;
  return counts;
}

Deno.test("latency: quantiles are within a fifth of the exact ones", () => {
  const times = Array.from({ length: 1000 }, (_, i) => 0.1 * 1.01 ** i);
  for (const quantile of [0.01, 0.5, 0.95, 0.99]) {
    const exact = times[Math.ceil(quantile * times.length) - 1]!;
    const found = latencyQuantile(countsOf(times), 0, quantile)!;
    assert.ok(Math.abs(found - exact) < 0.2 * exact, `${quantile}: ${found} for ${exact}`);
  }
});

Deno.test("latency: answers without a wait count as 0", () => {
  const counts = countsOf([10, 10]);
  assert.equal(latencyQuantile(counts, 98, 0.5), 0);
  assert.ok(latencyQuantile(counts, 98, 0.99)! > 5);
  assert.equal(latencyQuantile(countsOf([]), 5, 0.99), 0);
});

Deno.test("latency: nothing counted has no quantile", () => {
  assert.equal(latencyQuantile(countsOf([]), 0, 0.5), null);
});

Deno.test("latency: every time has a bucket", () => {
  for (const ms of [-1, 0, 1e-9, 0.05, 0.06, 1e3, 1e9, Infinity]) {
    const bucket = latencyBucket(ms);
    assert.ok(Number.isInteger(bucket) && bucket >= 0 && bucket < LATENCY_BUCKETS, `${ms}`);
  }
});
