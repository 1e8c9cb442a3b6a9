import assert from "node:assert/strict";
import { watch, type WatchLine } from "../../../src/control/observe/watch.ts";
import { ANY } from "../../engine/observe/scene.ts";
import { VirtualClock } from "../../support/run/virtual_clock.ts";
import { ScenePlane } from "./scene.ts";

async function begin(planes: readonly ScenePlane[]) {
  const clock = new VirtualClock();
  const gone = new AbortController();
  const nameClient = (address: string) => address === "10.1.0.7" ? "shop/cart" : null;
  const stream = await watch(ANY, { planes, clock, gone: gone.signal, nameClient });
  const lines: unknown[] = [];
  let error: unknown = null;
  const reading = (async () => {
    for await (const line of stream) lines.push("lost" in line ? line : textOf(line));
  })().catch((caught) => error = caught);
  return {
    lines,
    /** Lets time pass until so many lines have come. */
    async read(count: number) {
      for (let i = 0; i < MAX_STEPS && lines.length < count; i++) await clock.advance(50);
      assert.equal(lines.length, count);
    },
    advance: (ms: number) => clock.advance(ms),
    async leave() {
      gone.abort();
      await clock.advance(1000);
      await reading;
      assert.equal(error, null);
    },
  };
}

const MAX_STEPS = 2000;
const textOf = ({ name, rcode, source, clientName }: WatchLine) =>
  `${name} ${rcode} ${source}${clientName === null ? "" : ` for ${clientName}`}`;

Deno.test("watch: lines of all data planes come in the order of time, until the reader leaves", async () => {
  const planes = [new ScenePlane(), new ScenePlane()];
  const { lines, read, leave } = await begin(planes);
  planes[1]!.scene.query("first.local.test");
  planes[0]!.scene.run(500);
  planes[0]!.scene.query("second.local.test");
  planes[1]!.scene.run(800);
  planes[1]!.scene.query("third.local.test");
  planes[0]!.scene.query("www.drop.test");
  await read(4);
  assert.deepEqual(lines, [
    "first.local.test. NOERROR template",
    "second.local.test. NOERROR template",
    "www.drop.test. none ",
    "third.local.test. NOERROR template",
  ]);
  await leave();
  for (const { requests } of planes) assert.equal(requests.at(-1)!.type, "unwatch");
});

Deno.test("watch: lines have the names of clients that have one", async () => {
  const planes = [new ScenePlane()];
  const { lines, read, leave } = await begin(planes);
  planes[0]!.scene.query("a.local.test", { client: "10.1.0.7" });
  planes[0]!.scene.query("b.local.test", { client: "10.1.0.8" });
  await read(2);
  assert.deepEqual(lines, [
    "a.local.test. NOERROR template for shop/cart",
    "b.local.test. NOERROR template",
  ]);
  await leave();
});

Deno.test("watch: lost lines are counted, and a restart is told", async () => {
  const planes = [new ScenePlane()];
  const { lines, read, leave } = await begin(planes);
  for (let i = 0; i < 300; i++) planes[0]!.scene.query("www.local.test", { runMs: 0 });
  await read(257);
  assert.deepEqual(lines.filter((line) => typeof line !== "string"), [{ lost: 44 }]);
  // Nobody has collected in time.
  planes[0]!.scene.run(10_000);
  await read(258);
  assert.deepEqual(lines.at(-1), { lost: null });
  await leave();
});

Deno.test("watch: a data plane that does not answer for a while does not end it", async () => {
  const plane = new ScenePlane();
  const { lines, read, advance, leave } = await begin([plane]);
  plane.silent = true;
  await advance(1000);
  plane.silent = false;
  plane.scene.query("www.local.test");
  await read(1);
  assert.deepEqual(lines, ["www.local.test. NOERROR template"]);
  await leave();
});

Deno.test("watch: a fifth watcher is refused, and leaves nothing behind", async () => {
  const planes = [new ScenePlane(), new ScenePlane()];
  const watchers = [];
  for (let i = 0; i < 3; i++) watchers.push(await begin(planes));
  planes[1]!.scene.watch({}, "only here");
  await assert.rejects(begin(planes), /^Error: 4 watch already \(end one of them\)$/);
  planes[1]!.scene.request({ type: "unwatch", id: "only here" });
  watchers.push(await begin(planes));
  for (const { leave } of watchers) await leave();
});

Deno.test("watch: with -top off it is refused with the remedy", async () => {
  const plane = new ScenePlane();
  plane.off = true;
  await assert.rejects(begin([plane]), /started with -top off/);
});
