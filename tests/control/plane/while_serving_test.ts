import assert from "node:assert/strict";
import { whileServing } from "../../../src/control/plane/while_serving.ts";

/** A driver that counts its turns, and ends the work at one of them. */
function endingAt(turn: number, end: () => void) {
  const driver = {
    turns: 0,
    turn() {
      if (++driver.turns === turn) end();
    },
  };
  return driver;
}

Deno.test("whileServing: the driver has turns until the work is done", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const driver = endingAt(3, () => resolve("loaded"));
  assert.equal(await whileServing(driver, promise), "loaded");
  assert.ok(driver.turns >= 3);
});

Deno.test("whileServing: an error of the work is thrown", async () => {
  const { promise, reject } = Promise.withResolvers<string>();
  const driver = endingAt(2, () => reject(new Error("no file")));
  await assert.rejects(whileServing(driver, promise), { message: "no file" });
  assert.ok(driver.turns >= 2);
});
