/**
 * The randomised simulation for any duration:
 * `deno task chaos [--seconds 60] [--seed N]`. Prints a failing seed, for replay.
 */
import { parseArgs } from "node:util";
import { runChaos } from "../support/simulation/chaos.ts";
import { runDay } from "../support/simulation/chaos_day.ts";
import { runKinds } from "../support/simulation/chaos_kinds.ts";

/** Every this many seeds, one runs a day of virtual time. */
const DAY_EVERY = 20;

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "60" }, seed: { type: "string" } },
});
const say = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
const first = values.seed === undefined
  ? crypto.getRandomValues(new Uint32Array(1))[0]! >>> 1
  : Number(values.seed);
const startMs = performance.now();
const untilMs = startMs + Number(values.seconds) * 1000;
let seed = first;
let queries = 0;
let upstream = 0;
say(`seeds from ${first}`);
do {
  try {
    const runs = [runChaos(seed), runKinds(seed)];
    // A day takes as long as some twenty other runs.
    if (seed % DAY_EVERY === 0) runs.push(runDay(seed));
    for (const run of runs) {
      queries += run.queries;
      upstream += run.upstream;
    }
  } catch (error) {
    say(`failed with --seed ${seed}\n${(error as Error).stack}`);
    Deno.exit(1);
  }
  seed++;
} while (performance.now() < untilMs);
say(`${seed - first} runs held: ${queries} queries, ${upstream} packets to upstreams`);
