import assert from "node:assert/strict";
import { MAX_VIEWERS, type Shown, Viewers } from "../../../src/control/page/viewers.ts";
import { VirtualClock } from "../../support/run/virtual_clock.ts";

/** Viewers, and how often a view was made; `seldom` and `fail` change what is made. */
function scene() {
  const clock = new VirtualClock();
  const made = { count: 0, seldom: "1", fail: false };
  const failures: unknown[] = [];
  const viewers = new Viewers({
    clock,
    onFailure: (error) => void failures.push(error),
    make(): Promise<Shown> {
      made.count++;
      if (made.fail) return Promise.reject(new Error("no view"));
      return Promise.resolve({
        view: { name: "view", data: String(made.count) },
        seldom: { name: "seldom", data: made.seldom },
      });
    },
  });
  return { clock, made, failures, viewers };
}

/** A viewer, and what it has read. */
function watch(viewers: Viewers) {
  const gone = new AbortController();
  const chunks: string[] = [];
  const stream = viewers.join(gone.signal);
  const ended = (async () => {
    for await (const chunk of stream ?? []) chunks.push(chunk.replaceAll("\n", "|"));
  })();
  return { chunks, ended, stream, leave: () => gone.abort() };
}

Deno.test("viewers: the first view comes at once, then one a second", async () => {
  const { clock, viewers } = scene();
  const { chunks, leave, ended } = watch(viewers);
  await clock.advance(0);
  const first = ["retry: 1000||", "event: view|data: 1||", "event: seldom|data: 1||"];
  assert.deepEqual(chunks, first);
  await clock.advance(2000);
  assert.deepEqual(chunks, [...first, "event: view|data: 2||", "event: view|data: 3||"]);
  leave();
  await ended;
});

Deno.test("viewers: a view is made once for all, and only while somebody watches", async () => {
  const { clock, made, viewers } = scene();
  const all = Array.from({ length: MAX_VIEWERS }, () => watch(viewers));
  await clock.advance(3000);
  assert.equal(made.count, 4);
  for (const { chunks } of all) assert.equal(chunks.at(-1), "event: view|data: 4||");
  for (const { leave } of all) leave();
  await Promise.all(all.map(({ ended }) => ended));
  assert.deepEqual([viewers.count, clock.timers], [0, 0]);
  await clock.advance(10_000);
  assert.equal(made.count, 4);
});

Deno.test("viewers: one more than allowed is refused until another leaves", async () => {
  const { clock, viewers } = scene();
  const all = Array.from({ length: MAX_VIEWERS }, () => watch(viewers));
  assert.equal(watch(viewers).stream, null);
  all[0]!.leave();
  const next = watch(viewers);
  assert.notEqual(next.stream, null);
  await clock.advance(0);
  for (const { leave } of [...all, next]) leave();
  assert.equal(viewers.count, 0);
});

Deno.test("viewers: a stream that is never read gives back its place", () => {
  const { clock, viewers } = scene();
  const gone = new AbortController();
  viewers.join(gone.signal);
  gone.abort();
  assert.deepEqual([viewers.count, clock.timers], [0, 0]);
  assert.equal(viewers.join(gone.signal), null, "already gone");
});

Deno.test("viewers: what is seldom is sent when it has changed", async () => {
  const { clock, made, viewers } = scene();
  const { chunks, leave } = watch(viewers);
  await clock.advance(1000);
  made.seldom = "2";
  await clock.advance(2000);
  leave();
  const seldom = chunks.filter((chunk) => chunk.startsWith("event: seldom"));
  assert.deepEqual(seldom, ["event: seldom|data: 1||", "event: seldom|data: 2||"]);
});

Deno.test("viewers: a slow one misses views, and gets the latest", async () => {
  const { clock, viewers } = scene();
  const gone = new AbortController();
  const stream = viewers.join(gone.signal)![Symbol.asyncIterator]();
  await clock.advance(5000);
  await stream.next();
  assert.equal((await stream.next()).value, "event: view\ndata: 6\n\n");
  await stream.return!();
  assert.equal(viewers.count, 0);
});

Deno.test("viewers: the next viewer after a pause gets no old view", async () => {
  const { clock, viewers } = scene();
  const first = watch(viewers);
  await clock.advance(0);
  first.leave();
  await clock.advance(60_000);
  const second = watch(viewers);
  await clock.advance(0);
  assert.equal(second.chunks[1], "event: view|data: 2||");
  second.leave();
});

Deno.test("viewers: those who come and go in a row share a view", async () => {
  const { clock, made, viewers } = scene();
  for (let i = 0; i < 100; i++) {
    const { chunks, leave } = watch(viewers);
    await clock.advance(1);
    assert.equal(chunks[1], "event: view|data: 1||");
    leave();
  }
  assert.deepEqual([made.count, clock.timers], [1, 0]);
});

Deno.test("viewers: a view that fails is reported, and the stream goes on", async () => {
  const { clock, made, failures, viewers } = scene();
  made.fail = true;
  const { chunks, leave } = watch(viewers);
  await clock.advance(1000);
  made.fail = false;
  await clock.advance(1000);
  leave();
  assert.deepEqual(failures.map((error) => (error as Error).message), ["no view", "no view"]);
  assert.equal(chunks[1], "event: view|data: 3||");
});
