import assert from "node:assert/strict";
import { Sampler, SAMPLES_PER_SECOND } from "../../../src/engine/observe/sampler.ts";

/** Queries at a steady rate; samples and the queries that they stand for, by second. */
function run(sampler: Sampler, perSecond: number, seconds: number) {
  const result = { samples: [] as number[], counted: 0, chosen: new Set<number>() };
  for (let i = 0; i < perSecond * seconds; i++) {
    if (i % perSecond === 0) sampler.adapt(1);
    const weight = sampler.take();
    const second = Math.floor(i / perSecond);
    if (weight === 0) continue;
    result.samples[second] = (result.samples[second] ?? 0) + 1;
    result.counted += weight;
    result.chosen.add(i % 5);
  }
  return result;
}

Deno.test("sampler: up to the limit each query is chosen", () => {
  const { counted, samples } = run(new Sampler(1), SAMPLES_PER_SECOND - 1, 3);
  assert.equal(counted, 3 * (SAMPLES_PER_SECOND - 1));
  assert.deepEqual(samples, [999, 999, 999]);
});

for (const perSecond of [5000, 20_000, 250_000]) {
  Deno.test(`sampler: of ${perSecond} queries a second about a thousand stand for all`, () => {
    const { counted, samples } = run(new Sampler(7), perSecond, 5);
    const all = 5 * perSecond;
    assert.ok(Math.abs(counted - all) < 0.1 * all, `${counted} of ${all}`);
    // In the first second the weight must grow first.
    assert.ok(samples[0]! <= 6 * SAMPLES_PER_SECOND, `${samples}`);
    for (const count of samples.slice(1)) {
      assert.ok(count <= 1.25 * SAMPLES_PER_SECOND, `${samples}`);
    }
  });
}

Deno.test("sampler: queries that repeat after five are all chosen at times", () => {
  assert.equal(run(new Sampler(3), 5000, 3).chosen.size, 5);
});

Deno.test("sampler: after a burst each query is chosen again", () => {
  const sampler = new Sampler(3);
  run(sampler, 100_000, 2);
  assert.ok(sampler.every > 50, `${sampler.every}`);
  sampler.adapt(1);
  sampler.adapt(60);
  assert.equal(run(sampler, 10, 2).counted, 20);
  assert.equal(sampler.every, 1);
});

for (const perSecond of [10, 5000, 250_000]) {
  Deno.test(`sampler: of ${perSecond} queries a second all are known`, () => {
    const sampler = new Sampler(5);
    for (let i = 1; i <= 3 * perSecond + 7; i++) {
      if (i % perSecond === 0) sampler.adapt(1);
      if (sampler.passes) sampler.pass();
      else sampler.take();
      if (sampler.count !== i) assert.equal(sampler.count, i);
    }
    assert.equal(sampler.count, 3 * perSecond + 7);
  });
}
