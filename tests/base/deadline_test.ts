import assert from "node:assert/strict";
import { doneWithin } from "../../src/base/deadline.ts";
import { VirtualClock } from "../support/run/virtual_clock.ts";

Deno.test("doneWithin: reports work that finishes in time, fails, or is late", async () => {
  const clock = new VirtualClock();
  assert.equal(await doneWithin(Promise.resolve("done"), 10, clock), true);
  await assert.rejects(doneWithin(Promise.reject(new Error("no")), 10, clock), /no/);
  const work = Promise.withResolvers<void>();
  const late = doneWithin(work.promise, 10, clock);
  await clock.advance(10);
  assert.equal(await late, false);
  assert.equal(clock.timers, 0);
  // Its failure is ignored.
  work.reject(new Error("too late"));
});
