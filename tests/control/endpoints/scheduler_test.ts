import assert from "node:assert/strict";
import { Recent } from "../../../src/control/endpoints/http/recent.ts";
import { makeScheduler } from "../../../src/control/endpoints/http/scheduler.ts";
import { VirtualClock } from "../../support/run/virtual_clock.ts";

const LIMITS = { probesATurn: 8, pagesASecond: 100, pagesInARow: 4 };

function make(limits: Partial<typeof LIMITS> = {}) {
  const clock = new VirtualClock({ nowMs: 1000 });
  const scheduler = makeScheduler({ ...LIMITS, ...limits }, clock);
  const released: string[] = [];
  const wait = (name: string, kind: "probe" | "page") =>
    void scheduler.wait(name, kind).then(() => released.push(name));
  const turn = async (count = 1) => {
    for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
    return released.splice(0);
  };
  return { scheduler, clock, wait, turn, released };
}

function names(kind: string, from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `${kind}${from + i}`);
}

Deno.test("HTTP scheduler: a request is not answered in the turn in which it arrives", async () => {
  const { wait, turn, released } = make();
  wait("probe", "probe");
  await Promise.resolve();
  assert.deepEqual(released, []);
  assert.deepEqual(await turn(), ["probe"]);
});

Deno.test("HTTP scheduler: each turn answers some probes, then one page, in order", async () => {
  const { wait, turn } = make();
  for (const page of names("page", 0, 3)) wait(page, "page");
  for (const probe of names("probe", 0, 10)) wait(probe, "probe");
  assert.deepEqual(await turn(), [...names("probe", 0, 8), "page0"]);
  assert.deepEqual(await turn(), [...names("probe", 8, 10), "page1"]);
  assert.deepEqual(await turn(), ["page2"]);
});

Deno.test("HTTP scheduler: pages beyond the burst wait, probes do not", async () => {
  const { clock, wait, turn } = make();
  for (const page of names("page", 0, 10)) wait(page, "page");
  assert.deepEqual(await turn(20), names("page", 0, 4));
  wait("probe", "probe");
  assert.deepEqual(await turn(), ["probe"]);
  await clock.advance(20);
  assert.deepEqual(await turn(20), ["page4", "page5"]);
  await clock.advance(1000);
  assert.deepEqual(await turn(20), names("page", 6, 10));
  // An hour does not allow a larger burst.
  await clock.advance(3_600_000);
  for (const page of names("page", 10, 20)) wait(page, "page");
  assert.deepEqual(await turn(20), names("page", 10, 14));
});

Deno.test("HTTP scheduler: a closed connection gives up its turn", async () => {
  const { scheduler, wait, turn } = make({ pagesInARow: 1 });
  wait("page0", "page");
  wait("page1", "page");
  scheduler.leave("page0");
  await Promise.resolve();
  assert.deepEqual(await turn(), ["page0", "page1"], "released at once, and the turn is page1's");
});

Deno.test("shared result: a recent result or failure is reused until it is too old", async () => {
  let made = 0;
  const clock = new VirtualClock();
  const recent = new Recent(1000, () => {
    if (++made === 2) return Promise.reject(new Error("fails"));
    return Promise.resolve(made);
  }, clock);
  assert.deepEqual(await Promise.all([recent.get(), recent.get()]), [1, 1]);
  await clock.advance(999);
  assert.equal(await recent.get(), 1);
  await clock.advance(1);
  await assert.rejects(recent.get(), /fails/);
  await clock.advance(999);
  await assert.rejects(recent.get(), /fails/);
  await clock.advance(1);
  assert.equal(await recent.get(), 3);
  assert.equal(made, 3);
  recent.drop();
  assert.equal(await recent.get(), 4);
});
