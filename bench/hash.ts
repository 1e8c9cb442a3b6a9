/**
 * Cost of hashing questions, and its share of a cache hit: nanoseconds of the engine alone, without
 * sockets. A hit of the whole server takes 2.5 to 5 microseconds.
 *
 *   deno run -A bench/hash.ts [--rounds 50]
 */
import { parseArgs } from "node:util";
import { loadConfig } from "../src/loading/load.ts";
import { CounterBook } from "../src/engine/counters.ts";
import { Engine } from "../src/engine/engine.ts";
import { Exchange } from "../src/engine/exchange/exchange.ts";
import { Memory } from "../src/engine/memory.ts";
import { HashKey } from "../src/engine/question/keyed_hash.ts";
import { hashQuestion, readQuestion } from "../src/engine/question/read.ts";
import type { Io } from "../src/engine/io.ts";
import { HANDLERS } from "../src/plugins/handlers.ts";
import { fakeHost } from "../tests/support/doubles/fake_host.ts";
import { halfSip24 } from "./hashes/half_sip_2_4.ts";
import { murmurLike } from "./hashes/murmur_like.ts";
import { sip13 } from "./hashes/sip_1_3.ts";
import { print } from "./output.ts";
import { buildQuery } from "./persist_probe.ts";

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

const random = () => crypto.getRandomValues(new Uint32Array(1))[0]!;
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

function exchangeOf(name: string): Exchange {
  const query = buildQuery(name);
  const memory = new Memory(query.length + 16);
  memory.bytes.set(query);
  const exchange = new Exchange(memory);
  exchange.length = query.length;
  exchange.flags = 0x0100;
  readQuestion(exchange);
  return exchange;
}

/** An engine with a full cache, queried in memory. */
function makeEngine(names: readonly Exchange[]): (exchange: Exchange) => void {
  const entries = names.map(({ memory, qnameLength }) => {
    const labels: string[] = [];
    for (let at = HEADER_SIZE; at < HEADER_SIZE + qnameLength - 1; at += memory.bytes[at]! + 1) {
      const label = memory.bytes.subarray(at + 1, at + 1 + memory.bytes[at]!);
      labels.push(new TextDecoder().decode(label));
    }
    return `192.0.2.1 ${labels.join(".")}`;
  });
  const text = `. {\n errors\n prometheus\n cache\n hosts {\n ${entries.join("\n")}\n }\n}`;
  const { config } = loadConfig({ file: "Corefile", text, defaultPort: 53 }, fakeHost());
  const engine = new Engine({
    io: { family: () => 4, address: () => {} } as unknown as Io,
    counters: new CounterBook(new SharedArrayBuffer(8 * 4096)),
    random,
    handlers: HANDLERS,
    log: () => {},
  });
  engine.configure(config);
  const out = new Memory(65536);
  const ask = ({ memory, length }: Exchange) => {
    sink ^= engine.datagram(0, 0, memory, 0, length, out, 0);
  };
  // The first answer comes from `hosts`, later ones from the cache.
  for (const exchange of names) ask(exchange);
  return ask;
}

/** Nanoseconds per call. */
function measure(work: (exchange: Exchange) => void, names: readonly Exchange[]): number {
  const beganMs = performance.now();
  for (let pass = 0; pass < PASSES; pass++) for (const exchange of names) work(exchange);
  return (performance.now() - beganMs) * 1e6 / (PASSES * names.length);
}

print(`Nanoseconds a query, lowest of ${rounds} rounds by turns, Deno ${Deno.version.deno}:\n`);
for (const [title, nameOf] of Object.entries(LENGTHS)) {
  const names = Array.from({ length: NAMES }, (_, i) => exchangeOf(nameOf(i)));
  const works = { ...HASHES, "a whole hit in the engine": makeEngine(names) };
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
