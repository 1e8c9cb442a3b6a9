import assert from "node:assert/strict";
import { CLOCK_SPAN, IN_MAIN, USES } from "../../src/plugins/cache/store/row.ts";
import { tenthsSince, whyUseless } from "../../src/plugins/cache/persist/snapshot_file.ts";
import { runChaos } from "../support/simulation/chaos.ts";
import { a, queryBytes, responseBytes } from "../support/messages/messages.ts";
import { onlyAnswer, Simulation } from "../support/simulation/simulation.ts";
import { makeCache, put } from "../support/messages/snapshots.ts";

/** Period after which the clock of a cache's stores wraps. */
const SPAN_MS = 100 * CLOCK_SPAN;
const YEAR_SECONDS = 31_556_952;

function start(cache: string, ttl = 300): { simulation: Simulation; asked: () => number } {
  const simulation = new Simulation(`. {\ncache 2147483647 {\n${cache}\n}\nforward . 10.0.0.1\n}`);
  let asked = 0;
  simulation.upstream("10.0.0.1:53", (query) => {
    const { name } = query.questions![0]!;
    return [{ bytes: responseBytes(query, { answers: [a(name, `192.0.2.${++asked}`, ttl)] }) }];
  });
  return { simulation, asked: () => asked };
}

function ask(simulation: Simulation, name = "www.example.org") {
  const asked = simulation.ask(queryBytes({ name }));
  simulation.run(100);
  const [record] = onlyAnswer(asked).answers as { data: string; ttl: number }[];
  return { number: Number(record!.data.split(".")[3]), ttl: record!.ttl };
}

for (const spans of [1, 2, 4]) {
  Deno.test(`an entry ages across a wrap of the cache's clock: ${spans} times 3.4 years`, () => {
    const { simulation } = start("");
    simulation.run(spans * SPAN_MS - 30_000);
    assert.deepEqual(ask(simulation), { number: 1, ttl: 300 });
    simulation.run(20_000);
    assert.equal(ask(simulation).ttl, 280);
    simulation.run(20_000);
    assert.deepEqual(ask(simulation), { number: 1, ttl: 260 });
    simulation.run(259_000);
    assert.deepEqual(ask(simulation), { number: 1, ttl: 1 });
    simulation.run(1000);
    assert.deepEqual(ask(simulation), { number: 2, ttl: 300 });
  });
}

for (
  const [options, expected] of [
    ["serve_stale 1h", [1, 2]],
    ["serve_stale 1h verify", [2, 2]],
    ["serve_stale 1h verify 1s 1s 10s", [2, 2]],
  ] as const
) {
  Deno.test(`an entry expires at a wrap of the cache's clock, with ${options}`, () => {
    const { simulation } = start(options, 30);
    simulation.run(SPAN_MS - 30_500);
    assert.equal(ask(simulation).number, 1);
    simulation.run(31_000);
    assert.deepEqual([ask(simulation).number, ask(simulation).number], expected);
  });
}

Deno.test("a refresh that failed before a wrap of the cache's clock is retried after it", () => {
  const { simulation, asked } = start("serve_stale 1h immediate 5s 20s", 30);
  simulation.run(SPAN_MS - 45_000);
  ask(simulation);
  simulation.run(32_000);
  simulation.upstream("10.0.0.1:53", () => []);
  ask(simulation);
  simulation.run(10_000);
  simulation.upstream("10.0.0.1:53", (query) => [{
    bytes: responseBytes(query, { answers: [a("www.example.org", "192.0.2.77")] }),
  }]);
  simulation.run(60_000);
  ask(simulation);
  assert.equal(ask(simulation).number, 77);
  assert.equal(asked(), 1);
});

Deno.test("prefetching continues across a wrap of the cache's clock", () => {
  const { simulation, asked } = start("prefetch 2 1m 50%", 40);
  simulation.run(SPAN_MS - 15_000);
  for (let i = 0; i < 12; i++) {
    ask(simulation);
    simulation.run(5000);
  }
  assert.ok(asked() >= 3, `${asked()} queries`);
  assert.equal(simulation.count("coredns_cache_misses_total"), 1);
});

Deno.test("an answer with a TTL of 68 years never has a TTL above the remaining one", () => {
  const { simulation } = start("", 0x7fffffff);
  assert.equal(ask(simulation).ttl, 0x7fffffff);
  let age = 0;
  for (const years of [1, 2.3, 2, 3, 6.9, 13.7, 30, 40]) {
    simulation.run(years * YEAR_SECONDS * 1000);
    age += years * YEAR_SECONDS;
    const { number, ttl } = ask(simulation);
    if (number > 1) return;
    assert.ok(ttl <= 0x7fffffff - age + 1, `${ttl} after ${age} s`);
  }
  assert.fail("it was never asked for again");
});

Deno.test("entries too old for the cache's clock are evicted", () => {
  const cache = makeCache({ seed: 1 });
  const { success } = cache;
  put(cache, { name: "old.example.org", storedAt: 5, ttlSeconds: 0x7fffffff });
  put(cache, { name: "new.example.org", storedAt: CLOCK_SPAN - 10 });
  success.moveBack(CLOCK_SPAN - 1);
  assert.equal(success.size, 2);
  success.moveBack(7);
  assert.equal(success.size, 1);
  success.moveBack(5 * CLOCK_SPAN);
  assert.equal(success.size, 0);
});

Deno.test("the query count for prefetching saturates", () => {
  const cache = makeCache({ seed: 1 });
  const { success } = cache;
  put(cache, { name: "www.example.org" });
  success.restore(0, { storedAt: 0, hits: 0x7ffffffe, state: IN_MAIN | USES });
  const counts = [1, 2, 3].map(() => success.count(0, 1, 600));
  assert.deepEqual(counts, [0x7fffffff, 0x7fffffff, 0x7fffffff]);
});

for (
  const [what, times] of [
    ["31 bits of milliseconds", { startMs: 2 ** 31 - 20_000 }],
    ["32 bits of milliseconds", { startMs: 2 ** 32 - 20_000 }],
    ["31 bits of seconds", { startMs: 1000 * 2 ** 31 - 20_000 }],
    ["32 bits of seconds", { startMs: 1000 * 2 ** 32 - 20_000 }],
    ["32 bits of microseconds", { startMs: 2 ** 32 / 1000 - 20_000 }],
    ["the cache's clock", { idleMs: SPAN_MS - 20_000 }],
    ["the cache's clock, twice", { idleMs: 2 * SPAN_MS - 20_000 }],
  ] as const
) {
  Deno.test(`the randomized simulation keeps its invariants across the overflow of ${what}`, () => {
    for (let seed = 1; seed <= 8; seed++) runChaos(seed, times);
  });
}

for (const hours of [1, 8, 10_000]) {
  Deno.test(`after ${hours} h of suspension answers have aged, and nothing is delayed`, () => {
    const { simulation, asked } = start("", 3000);
    assert.equal(ask(simulation).number, 1);
    const waiting = simulation.ask(queryBytes({ name: "waits.example.org" }));
    simulation.leap(hours * 3_600_000);
    simulation.run(10_000);
    assert.ok(waiting.answers.length <= 1);
    assert.equal(ask(simulation).ttl, 3000);
    const before = asked();
    assert.equal(ask(simulation, "new.example.org").ttl, 3000);
    assert.equal(asked(), before + 1);
    assert.equal(simulation.engine.waiting, 0);
    simulation.run(60_000);
    assert.equal(simulation.openUpstream, 0);
    assert.equal(simulation.keptCount, 0);
  });
}

Deno.test("ages in a persisted cache are right whatever the wall clock did meanwhile", () => {
  const day = 86_400_000;
  const now = 1_767_225_600_000;
  for (
    const [writtenMs, tenths, useless] of [
      [now - 1234, 12, null],
      [now, 0, null],
      // Set back a little: no entry gets younger than when it was written.
      [now + 299_000, 0, null],
      [now + 301_000, 0, /^it was written 5 minutes in the future/],
      [now + 400 * day, 0, /^it was written 576000 minutes in the future/],
      [now - 2 * day, 1_728_000, /^all of it has expired/],
      [0, 0x3fffffff, /^all of it has expired/],
      [-1, 0x3fffffff, /^all of it has expired/],
      [Infinity, 0, /^it is damaged/],
      [NaN, NaN, /^it is damaged/],
    ] as const
  ) {
    assert.equal(tenthsSince(writtenMs, now), tenths, `${writtenMs}`);
    const why = whyUseless({ timeMs: writtenMs, nowMs: now, longestMs: day });
    if (useless === null) assert.equal(why, null);
    else assert.match(why!, useless);
  }
});
