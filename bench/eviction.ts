/**
 * Compares the hit ratios of eviction policies on Zipf-distributed names, with and without scans
 * and expiry: `deno run bench/eviction.ts [LOOKUPS]`.
 */
import { print } from "./output.ts";
import { LruPolicy } from "./policies/lru.ts";
import type { Policy } from "./policies/policy.ts";
import { ProductPolicy } from "./policies/product.ts";
import { RandomPolicy } from "./policies/random.ts";
import { S3FifoPolicy } from "./policies/s3_fifo.ts";
import { SievePolicy } from "./policies/sieve.ts";
import { replayTrace, seededRandom, type TraceOptions } from "./trace.ts";

const SEED = 20261;
const NAMES = 100_000;
const DEFAULT_LOOKUPS = 1_000_000;
/** The first lookups fill the cache uncounted. */
const WARM_UP_SHARE = 0.2;

const EXPONENTS = [0.8, 0.9, 1.0, 1.1];
const CAPACITIES = [1_000, 10_000];

const WORKLOADS: { name: string; options: Partial<TraceOptions> }[] = [
  { name: "plain", options: { scanShare: 0 } },
  { name: "20 % scans", options: {} },
  { name: "20 % scans, TTL", options: { ttlsSeconds: [5, 30, 60, 300, 3600] } },
];

const POLICIES: { name: string; create(capacity: number): Policy }[] = [
  { name: "random", create: (capacity) => new RandomPolicy(capacity, seededRandom(SEED + 1)) },
  { name: "LRU", create: (capacity) => new LruPolicy(capacity) },
  { name: "SIEVE", create: (capacity) => new SievePolicy(capacity) },
  { name: "S3-FIFO", create: (capacity) => new S3FifoPolicy(capacity) },
  { name: "nodens", create: (capacity) => new ProductPolicy(capacity) },
];

function measure(policies: readonly Policy[], options: TraceOptions): number[] {
  const hits = policies.map(() => 0);
  const warmSeconds = options.lookups * WARM_UP_SHARE / options.lookupsPerSecond;
  let counted = 0;
  replayTrace(options, (name, scan, nowSeconds, ttlSeconds) => {
    const counts = !scan && nowSeconds >= warmSeconds;
    if (counts) counted++;
    for (let i = 0; i < policies.length; i++) {
      const policy = policies[i]!;
      const expires = policy.get(name, nowSeconds);
      if (expires === undefined || expires <= nowSeconds) {
        policy.put(name, nowSeconds + ttlSeconds, nowSeconds);
      } else if (counts) {
        hits[i]!++;
      }
    }
  });
  return hits.map((count) => count / counted);
}

function row(cells: readonly string[]): string {
  return cells.map((cell, i) => i === 0 ? cell.padEnd(16) : cell.padStart(9)).join(" ");
}

const lookups = Number(Deno.args[0] ?? DEFAULT_LOOKUPS);
if (!Number.isInteger(lookups) || lookups < 1) {
  throw new RangeError(`Cannot replay "${Deno.args[0]}" lookups: give a whole number above 0`);
}

print(
  `Hit ratio in % of the lookups that are not part of a scan: ${lookups} lookups of ` +
    `${NAMES} names, 2,000 a second, seed ${SEED}.\n`,
);
print(row(["workload", "capacity", "Zipf s", ...POLICIES.map(({ name }) => name)]));
for (const workload of WORKLOADS) {
  for (const capacity of CAPACITIES) {
    for (const exponent of EXPONENTS) {
      const ratios = measure(POLICIES.map((policy) => policy.create(capacity)), {
        seed: SEED,
        lookups,
        names: NAMES,
        exponent,
        scanShare: 0.2,
        scanLength: 2_000,
        lookupsPerSecond: 2_000,
        ttlsSeconds: [Infinity],
        ...workload.options,
      });
      const cells = ratios.map((ratio) => (100 * ratio).toFixed(1));
      print(row([workload.name, String(capacity), exponent.toFixed(1), ...cells]));
    }
  }
}
