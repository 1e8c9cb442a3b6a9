import assert from "node:assert/strict";
import { mapSizes } from "../../src/kernel/maps.ts";
import { Refusal } from "../../src/kernel/refusal.ts";

const KIB = 1024;

const SIZES: { answers: number; limit?: number; small: number; large: number; buckets: number }[] =
  [
    { answers: 0, small: 1024, large: 32, buckets: 512 },
    { answers: 1025, small: 2048, large: 64, buckets: 1024 },
    { answers: 19968, small: 16384, large: 512, buckets: 4096 },
    { answers: 2 ** 40, small: 16384, large: 512, buckets: 4096 },
    { answers: 19968, limit: 6144 * KIB, small: 16384, large: 512, buckets: 4096 },
    { answers: 19968, limit: 2048 * KIB, small: 4096, large: 128, buckets: 2048 },
    { answers: 19968, limit: 512 * KIB, small: 1024, large: 32, buckets: 512 },
  ];

for (const { answers, limit, ...sizes } of SIZES) {
  const of = limit === undefined ? "" : ` in ${limit / KIB} KiB`;
  Deno.test(`kernel hits, maps: for ${answers} answers${of}, ${sizes.small} small slots`, () => {
    const { bytes, ...found } = mapSizes(answers, limit);
    assert.deepEqual(found, sizes);
    assert.ok(bytes <= (limit ?? Infinity));
    assert.ok(bytes > 64 * sizes.buckets + 256 * sizes.small + 1792 * sizes.large);
  });
}

Deno.test("kernel hits, maps: too little memory is a refusal", () => {
  assert.throws(() => mapSizes(1000, 100 * KIB), (error: Refusal) => {
    assert.equal(error.reason, "memory");
    assert.match(
      error.message,
      /^the memory limit leaves 100 KiB for the maps, the least is \d+ K/,
    );
    return true;
  });
});
