/** Seeded fuzzing: `deno task fuzz [--seconds 20] [--seed N]`. Prints a failing seed. */
import { parseArgs } from "node:util";
import { fuzzCorefile } from "./corefile.ts";
import { fuzzEngine } from "./engine.ts";
import { fuzzHosts } from "./hosts.ts";
import { fuzzHttp2 } from "./http2.ts";
import { fuzzReplies, fuzzScan } from "./replies.ts";
import { fuzzWire } from "./wire.ts";

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "20" }, seed: { type: "string" } },
});
const first = values.seed === undefined
  ? crypto.getRandomValues(new Uint32Array(1))[0]! >>> 1
  : Number(values.seed);
const targets: [string, (seed: number) => unknown][] = [
  ["engine", (seed) => fuzzEngine(seed, 200)],
  ["scan", (seed) => fuzzScan(seed, 1000)],
  ["replies", (seed) => fuzzReplies(seed, 100)],
  ["wire", (seed) => fuzzWire(seed, 2000)],
  ["hosts", (seed) => fuzzHosts(seed, 200)],
  ["corefile", (seed) => fuzzCorefile(seed, 500)],
  ["http2", (seed) => fuzzHttp2(seed, 50)],
];
const untilMs = performance.now() + Number(values.seconds) * 1000;
const runs = new Map<string, number>();
let seed = first;
do {
  for (const [name, run] of targets) {
    try {
      run(seed);
    } catch (error) {
      Deno.stderr.writeSync(
        new TextEncoder().encode(`${name} failed with --seed ${seed}\n${(error as Error).stack}\n`),
      );
      Deno.exit(1);
    }
    runs.set(name, (runs.get(name) ?? 0) + 1);
  }
  seed++;
} while (performance.now() < untilMs);
const summary = [...runs].map(([name, count]) => `${count} of ${name}`).join(", ");
Deno.stdout.writeSync(new TextEncoder().encode(`Seeds ${first} to ${seed - 1}: ${summary}\n`));
