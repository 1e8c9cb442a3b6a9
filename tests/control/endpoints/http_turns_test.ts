/** Which requests are answered when, in virtual time but for the turns of the event loop. */
import assert from "node:assert/strict";
import { Recent } from "../../../src/control/endpoints/http/recent.ts";
import { HttpTurns } from "../../../src/control/endpoints/http/turns.ts";

const LIMITS = { probesATurn: 8, pagesASecond: 100, pagesInARow: 4 };

const turnOfLoop = () => new Promise((resolve) => setImmediate(resolve));

/** Turns whose clock stands still, and who has had one. */
function make(limits: Partial<typeof LIMITS> = {}) {
  const clock = { nowMs: 1000 };
  const turns = new HttpTurns<string>({ ...LIMITS, ...limits }, () => clock.nowMs);
  const served: string[] = [];
  const wait = (who: string, kind: "probe" | "page") =>
    void turns.wait(who, kind).then(() => served.push(who));
  /** Who is served in one turn of the loop. */
  const turn = async () => {
    await turnOfLoop();
    return served.splice(0);
  };
  return { turns, clock, wait, turn };
}

Deno.test("nobody is served in the turn in which he asks", async () => {
  const { wait, turn } = make();
  const served: string[] = [];
  wait("probe", "probe");
  await Promise.resolve();
  assert.deepEqual(served, []);
  assert.deepEqual(await turn(), ["probe"]);
});

Deno.test("a turn serves some probes and then one page, each in the order of asking", async () => {
  const { wait, turn } = make();
  for (let i = 0; i < 3; i++) wait(`page${i}`, "page");
  for (let i = 0; i < 10; i++) wait(`probe${i}`, "probe");
  const probes = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => `probe${from + i}`);
  assert.deepEqual(await turn(), [...probes(0, 8), "page0"]);
  assert.deepEqual(await turn(), [...probes(8, 10), "page1"]);
  assert.deepEqual(await turn(), ["page2"]);
});

Deno.test("pages beyond those at once wait for their time, and probes do not", async () => {
  const { turns, clock, wait, turn } = make();
  for (let i = 0; i < 20; i++) wait(`page${i}`, "page");
  const first = [];
  for (let i = 0; i < 20; i++) first.push(...await turn());
  assert.deepEqual(first, ["page0", "page1", "page2", "page3"]);
  wait("probe", "probe");
  assert.deepEqual(await turn(), ["probe"]);
  clock.nowMs += 20;
  wait("probe", "probe");
  assert.deepEqual(await turn(), ["probe", "page4"]);
  assert.deepEqual(await turn(), ["page5"]);
  assert.deepEqual(await turn(), []);
  clock.nowMs += 1_000_000;
  wait("probe", "probe");
  const later = [];
  for (let i = 0; i < 20; i++) later.push(...await turn());
  assert.deepEqual(later, ["probe", "page6", "page7", "page8", "page9"]);
  for (let i = 10; i < 20; i++) turns.leave(`page${i}`);
});

Deno.test("pages that wait are served by the clock alone", async () => {
  const turns = new HttpTurns<number>({ ...LIMITS, pagesASecond: 1000, pagesInARow: 1 });
  await Promise.all(Array.from({ length: 10 }, (_, i) => turns.wait(i, "page")));
});

Deno.test("whoever leaves waits no more and takes nobody's turn", async () => {
  const { turns, wait, turn } = make({ pagesInARow: 1 });
  wait("page0", "page");
  wait("page1", "page");
  turns.leave("page0");
  await Promise.resolve();
  assert.deepEqual(
    await turn(),
    ["page0", "page1"],
    "told at once, and the turn is the other one's",
  );
});

Deno.test("what is made once in a while is shared meanwhile, also where it fails", async () => {
  let made = 0;
  const recent = new Recent(1000, () => {
    if (++made === 2) return Promise.reject(new Error("fails"));
    return Promise.resolve(made);
  });
  assert.deepEqual(await Promise.all([recent.get(0), recent.get(0), recent.get(999)]), [1, 1, 1]);
  await assert.rejects(recent.get(1000), /fails/);
  await assert.rejects(recent.get(1999), /fails/);
  assert.equal(await recent.get(2000), 3);
  assert.equal(made, 3);
  recent.drop();
  assert.equal(await recent.get(2001), 4);
});
