import assert from "node:assert/strict";
import { RepairPace } from "../../../src/node/interface/watch.ts";

Deno.test("RepairPace: allows three repairs at once, and delays further ones", () => {
  const pace = new RepairPace();
  let nowMs = 5;
  const delays: number[] = [];
  for (let i = 0; i < 11; i++) {
    assert.ok(pace.allows(nowMs));
    const delayMs = pace.repaired(nowMs);
    delays.push(delayMs);
    if (delayMs > 0) assert.equal(pace.allows(nowMs + delayMs - 1), false);
    nowMs += delayMs;
  }
  const slow = [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000];
  assert.deepEqual(delays, [0, 0, 0, ...slow]);
  assert.equal(pace.count, 11);
});

Deno.test("RepairPace: allows repairs at once after a quiet minute", () => {
  const pace = new RepairPace();
  for (let i = 0; i < 9; i++) pace.repaired(0);
  assert.equal(pace.repaired(60_000), 30_000, "still in a row");
  assert.equal(pace.repaired(120_001), 0);
  assert.equal(pace.count, 1);
});

Deno.test("RepairPace: limits repairs if another program reverts them", () => {
  const pace = new RepairPace();
  let repairs = 0;
  // The other program reverts every repair at once; notices are read ten times a second.
  for (let nowMs = 0; nowMs < 3_600_000; nowMs += 100) {
    if (!pace.allows(nowMs)) continue;
    pace.repaired(nowMs);
    repairs++;
  }
  assert.ok(repairs > 100 && repairs < 130, `${repairs} in an hour`);
});
