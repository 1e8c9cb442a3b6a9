import assert from "node:assert/strict";
import { doneWithin } from "../../src/base/deadline.ts";

Deno.test("work that is done in time, fails, or is late", async () => {
  assert.equal(await doneWithin(Promise.resolve("done"), 10_000), true);
  await assert.rejects(doneWithin(Promise.reject(new Error("no")), 10_000), /no/);
  const late = Promise.withResolvers<void>();
  assert.equal(await doneWithin(late.promise, 1), false);
  // Nobody waits for it any more, so its failure ends nothing.
  late.reject(new Error("too late"));
});
