import assert from "node:assert/strict";
import { Spelling } from "../../src/upstream/server/spelling.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

Deno.test("names are sent in random case only if configured", () => {
  assert.equal(new Spelling(false).isMixed(0), false);
  assert.equal(new Spelling(true).isMixed(0), true);
});

Deno.test("three consecutive misspelt replies mean that the server folds case", () => {
  const spelling = new Spelling(true);
  assert.deepEqual([1, 2, 3].map(() => spelling.misspelt()), [false, false, true]);
  spelling.right();
  assert.deepEqual([1, 2].map(() => spelling.misspelt()), [false, false]);
  // With a correct reply between them, the others may have been forged.
  spelling.right();
  assert.deepEqual([1, 2, 3].map(() => spelling.misspelt()), [false, false, true]);
});

Deno.test("after a suspected forgery a server is asked over TCP for a minute, in mixed case", () => {
  const spelling = new Spelling(true);
  assert.equal(spelling.needsTcp(0), false);
  spelling.suspectForgery(1000);
  assert.deepEqual([1000, 60_999, 61_000].map((ms) => spelling.needsTcp(ms)), [true, true, false]);
  assert.equal(spelling.isMixed(1000), true);
});

Deno.test("a server that folds case over TCP is asked over UDP again, without x20, for an hour", () => {
  const spelling = new Spelling(true);
  spelling.suspectForgery(0);
  assert.equal(spelling.folds(500), true, "that is news");
  assert.equal(spelling.needsTcp(500), false);
  assert.equal(spelling.isMixed(500), false);
  assert.equal(spelling.folds(600), false, "that is known");
  assert.equal(spelling.isMixed(600 + HOUR_MS - 1), false);
  assert.equal(spelling.isMixed(600 + HOUR_MS), true);
  assert.equal(spelling.folds(700 + HOUR_MS), true, "that is news again");
});
