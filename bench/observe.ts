/**
 * Cost of `-top on` to a cache hit, in the engine alone, without sockets: how many times as long as
 * with `-top off`. A hit of the whole server takes about twenty times as long, so the share there is
 * smaller.
 *
 *   deno run -A bench/observe.ts [--rounds 30]
 */
import { parseArgs } from "node:util";
import type { WatchFilter } from "../src/engine/observe/requests.ts";
import { exchangeOf, memoryEngine, type MemoryEngineOptions } from "./memory_engine.ts";
import { median } from "./measure.ts";
import { print } from "./output.ts";

const NAMES = 500;
const PASSES = 50;
const names = Array.from({ length: NAMES }, (_, i) => `host-${i}.shop.svc.example.org`);
const exchanges = names.map(exchangeOf);
/** The first answers come from `hosts`, later ones from the cache. */
const HIT = `errors\nprometheus\ncache\nhosts {\n${
  names.map((name) => `192.0.2.1 ${name}`).join("\n")
}\n}`;

const NOBODY: WatchFilter = {
  client: null,
  zone: "other.test.",
  rcodes: [],
  slowMs: 0,
  sample: 1,
};
const watched = (filter: WatchFilter) => ({ type: "watch", id: "a", filter }) as const;

const CASES: readonly (readonly [title: string, MemoryEngineOptions])[] = [
  ["off", { perSecond: 20_000 }],
  ["on, 500 queries a second: each is counted", { observes: true, perSecond: 500 }],
  ["on, 5,000 queries a second", { observes: true, perSecond: 5000 }],
  ["on, 20,000 queries a second", { observes: true, perSecond: 20_000 }],
  ["on, 100,000 queries a second", { observes: true, perSecond: 100_000 }],
  [
    "on, watched by one who gets no line",
    { observes: true, perSecond: 20_000, request: watched(NOBODY) },
  ],
  [
    "on, watched by one who reads too slowly",
    { observes: true, perSecond: 20_000, request: watched({ ...NOBODY, zone: null }) },
  ],
];

const { values: flags } = parseArgs({ options: { rounds: { type: "string", default: "30" } } });
const rounds = Number(flags.rounds);
if (!Number.isInteger(rounds) || rounds < 1) {
  throw new RangeError(`--rounds: "${flags.rounds}" is not a whole number above 0`);
}

/** Milliseconds of a round. */
function measure(ask: (typeof cases)[number]["ask"]): number {
  const beganMs = performance.now();
  // An iterator would allocate.
  for (let i = 0; i < PASSES * NAMES; i++) ask(exchanges[i % NAMES]!);
  return performance.now() - beganMs;
}

const cases = await Promise.all(CASES.map(async ([title, options]) => ({
  title,
  ask: await memoryEngine(HIT, options),
  ratios: [] as number[],
})));
for (let round = -3; round < rounds; round++) {
  let offMs = 0;
  for (const { ask, ratios } of cases) {
    const ms = measure(ask);
    if (offMs === 0) offMs = ms;
    // Earlier rounds warm up the compiler.
    if (round >= 0) ratios.push(ms / offMs);
  }
}
print(`A hit with -top on against off, median of ${rounds} rounds, Deno ${Deno.version.deno}:\n`);
print("| -top | times as long |\n| --- | ---: |");
for (const { title, ratios } of cases) print(`| ${title} | ${median(ratios).toFixed(2)} |`);
