/**
 * Cost of hashing questions, and its share of a cache hit: nanoseconds of the engine alone, without
 * sockets. A hit of the whole server takes 2.5 to 5 microseconds.
 *
 *   deno run -A bench/hash.ts [--rounds 50]
 */
import { parseArgs } from "node:util";
import type { Exchange } from "../src/engine/exchange/exchange.ts";
import { HashKey } from "../src/engine/question/keyed_hash.ts";
import { hashQuestion } from "../src/engine/question/read.ts";
import { halfSip24 } from "./hashes/half_sip_2_4.ts";
import { murmurLike } from "./hashes/murmur_like.ts";
import { sip13 } from "./hashes/sip_1_3.ts";
import { exchangeOf, memoryEngine, random } from "./memory_engine.ts";
import { print } from "./output.ts";

const NAMES = 1000;
const PASSES = 100;
const HEADER_SIZE = 12;
const LENGTHS = {
  short: (i: number) => `n${i}.example.org`,
  usual: (i: number) => `hot-${String(i).padStart(6, "0")}.bench.example.org`,
  long: (i: number) => `service-${i}.some-namespace-of-a-team.svc.cluster-of-a-company.example.org`,
};

const { values: flags } = parseArgs({
  options: { rounds: { type: "string", default: "50" } },
});
const rounds = Number(flags.rounds);
if (!Number.isInteger(rounds) || rounds < 1) {
  throw new RangeError(`--rounds: "${flags.rounds}" is not a whole number above 0`);
}

const key = HashKey.draw(random);

/** Prevents the compiler from eliminating calls. */
let sink = 0;

const HASHES: Readonly<Record<string, (exchange: Exchange) => void>> = {
  "Murmur-like": (x) => {
    sink ^= murmurLike(x.memory.view, HEADER_SIZE, x.qnameLength, x.qtype);
  },
  "HalfSipHash-1-3 (nodens)": (x) => {
    hashQuestion(x, key);
    sink ^= x.hash;
  },
  "HalfSipHash-2-4": (x) => {
    sink ^= halfSip24(x.memory.view, HEADER_SIZE, x.qnameLength, x.qtype, key);
  },
  "SipHash-1-3": (x) => {
    sink ^= sip13(x.memory.view, HEADER_SIZE, x.qnameLength, x.qtype, key);
  },
};

/** An engine with a full cache: the first answers come from `hosts`, later ones from the cache. */
async function fullEngine(names: readonly string[]): Promise<(exchange: Exchange) => void> {
  const entries = names.map((name) => `192.0.2.1 ${name}`).join("\n");
  const ask = await memoryEngine(`errors\nprometheus\ncache\nhosts {\n${entries}\n}`);
  for (const name of names) ask(exchangeOf(name));
  return (exchange) => void (sink ^= ask(exchange));
}

/** Nanoseconds per call. */
function measure(work: (exchange: Exchange) => void, names: readonly Exchange[]): number {
  const beganMs = performance.now();
  for (let pass = 0; pass < PASSES; pass++) for (const exchange of names) work(exchange);
  return (performance.now() - beganMs) * 1e6 / (PASSES * names.length);
}

print(`Nanoseconds a query, lowest of ${rounds} rounds by turns, Deno ${Deno.version.deno}:\n`);
for (const [title, nameOf] of Object.entries(LENGTHS)) {
  const texts = Array.from({ length: NAMES }, (_, i) => nameOf(i));
  const names = texts.map(exchangeOf);
  const works = { ...HASHES, "a whole hit in the engine": await fullEngine(texts) };
  const lowest = Object.values(works).map(() => Infinity);
  for (let round = -2; round < rounds; round++) {
    for (const [i, work] of Object.values(works).entries()) {
      const ns = measure(work, names);
      // Earlier rounds warm up the compiler.
      if (round >= 0) lowest[i] = Math.min(lowest[i]!, ns);
    }
  }
  print(`${title} names (${names[NAMES - 1]!.qnameLength} octets):`);
  for (const [i, name] of Object.keys(works).entries()) {
    const ratio = (lowest[i]! / lowest[0]!).toFixed(2);
    const more = (lowest[i]! - lowest[0]!).toFixed(1);
    print(`- ${name}: ${lowest[i]!.toFixed(1)}` + (i === 0 ? "" : ` (${ratio}×, ${more} more)`));
  }
}
if (sink === 0.5) print("");
