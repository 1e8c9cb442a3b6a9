import assert from "node:assert/strict";
import { MendPace } from "../../../src/node/interface/watch.ts";

Deno.test("MendPace: allows three repairs at once, and delays further ones", () => {
  const pace = new MendPace();
  let nowMs = 5;
  const delays: number[] = [];
  for (let i = 0; i < 11; i++) {
    assert.ok(pace.allows(nowMs));
    const delayMs = pace.mended(nowMs);
    delays.push(delayMs);
    if (delayMs > 0) assert.equal(pace.allows(nowMs + delayMs - 1), false);
    nowMs += delayMs;
  }
  const slow = [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000];
  assert.deepEqual(delays, [0, 0, 0, ...slow]);
  assert.equal(pace.count, 11);
});

Deno.test("MendPace: allows repairs at once after a quiet minute", () => {
  const pace = new MendPace();
  for (let i = 0; i < 9; i++) pace.mended(0);
  assert.equal(pace.mended(60_000), 30_000, "still the same fight");
  assert.equal(pace.mended(120_001), 0);
  assert.equal(pace.count, 1);
});

Deno.test("MendPace: bounds the repairs if another program reverts them", () => {
  const pace = new MendPace();
  let mends = 0;
  // The other one undoes every mend at once; notices are looked for ten times a second.
  for (let nowMs = 0; nowMs < 3_600_000; nowMs += 100) {
    if (!pace.allows(nowMs)) continue;
    pace.mended(nowMs);
    mends++;
  }
  assert.ok(mends > 100 && mends < 130, `${mends} in an hour`);
});
