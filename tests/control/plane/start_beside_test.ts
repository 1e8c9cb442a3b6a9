import assert from "node:assert/strict";
import { startBeside } from "../../../src/control/plane/start_beside.ts";
import { VirtualClock } from "../../support/run/virtual_clock.ts";

const IN_USE = new Error("address in use");

/** Attempts until `freeAtMs`, or until they may share; the other process serves at `serveAtMs`. */
function attempts({ freeAtMs = Infinity, serveAtMs = Infinity }) {
  const clock = new VirtualClock();
  const seen: string[] = [];
  const result = startBeside((beside) => {
    seen.push(`${clock.now()} ${beside ? "shared" : "alone"}`);
    if (!beside && clock.now() < freeAtMs) throw IN_USE;
    return beside;
  }, { isBeside: () => clock.now() >= serveAtMs, clock });
  result.catch(() => {});
  return { clock, seen, result };
}

Deno.test("startBeside: a free address is opened at once", async () => {
  const { seen, result } = attempts({ freeAtMs: 0 });
  assert.equal(await result, false);
  assert.deepEqual(seen, ["0 alone"]);
});

Deno.test("startBeside: an address of a process that starts is shared once that serves", async () => {
  const { clock, seen, result } = attempts({ serveAtMs: 50 });
  await clock.advance(100);
  assert.equal(await result, true);
  assert.deepEqual(seen, ["0 alone", "20 alone", "40 alone", "60 shared"]);
});

Deno.test("startBeside: an address that is held for a moment is opened afterwards", async () => {
  const { clock, result } = attempts({ freeAtMs: 30 });
  await clock.advance(100);
  assert.equal(await result, false);
});

Deno.test("startBeside: the address of another program is an error after a second", async () => {
  const { clock, result } = attempts({});
  let failed = false;
  result.catch(() => failed = true);
  await clock.advance(990);
  assert.equal(failed, false);
  await clock.advance(100);
  await assert.rejects(result, IN_USE);
});

Deno.test("startBeside: an error beside a process that serves is one at once", async () => {
  const isBeside = () => true;
  await assert.rejects(
    startBeside(() => {
      throw IN_USE;
    }, { isBeside, clock: new VirtualClock() }),
    IN_USE,
  );
});
