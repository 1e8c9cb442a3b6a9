import assert from "node:assert/strict";
import {
  exchangeOf,
  memoryEngine,
  type MemoryEngineOptions,
} from "../../../bench/memory_engine.ts";

const NAMES = 500;
const HITS = 20_000;
/** Until then the compiler must have optimised the path of a hit. */
const MAX_ROUNDS = 200;
/** A collection hides what one round allocates, but not what several do. */
const SETTLED = 5;
/** What is done once a second may allocate; the smallest object of a hit has 16 octets. */
const BOUND_OCTETS = 2;

const names = Array.from({ length: NAMES }, (_, i) => `host-${i}.shop.svc.example.org`);
const COREFILE = `errors\nprometheus\ncache\nhosts {\n${
  names.map((name) => `192.0.2.1 ${name}`).join("\n")
}\n}`;

const CASES: readonly (readonly [title: string, MemoryEngineOptions])[] = [
  ["not observed", { perSecond: 20_000 }],
  ["observed, each counted", { perSecond: 500, observes: true }],
  ["observed, few counted", { perSecond: 100_000, observes: true }],
];

for (const [title, options] of CASES) {
  Deno.test(`allocation: a hit allocates nothing, ${title}`, async () => {
    const ask = await memoryEngine(COREFILE, options);
    const exchanges = names.map(exchangeOf);
    let octets = Infinity;
    let rounds = 0;
    for (let settled = 0; settled < SETTLED && rounds < MAX_ROUNDS; rounds++) {
      const before = Deno.memoryUsage().heapUsed;
      // An iterator would allocate.
      for (let i = 0; i < HITS; i++) ask(exchanges[i % NAMES]!);
      octets = (Deno.memoryUsage().heapUsed - before) / HITS;
      settled = octets >= 0 && octets < BOUND_OCTETS ? settled + 1 : 0;
    }
    assert.ok(rounds < MAX_ROUNDS, `${octets} octets a hit`);
  });
}
