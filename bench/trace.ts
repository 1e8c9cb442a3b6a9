/** Options of a trace. */
export interface TraceOptions {
  seed: number;
  lookups: number;
  /** Distinct names of the Zipf distribution. */
  names: number;
  exponent: number;
  /** Share of scans in all lookups, below 1. */
  scanShare: number;
  scanLength: number;
  lookupsPerSecond: number;
  /** TTLs, assigned to names deterministically. */
  ttlsSeconds: readonly number[];
}

/** One lookup: the name (by number), whether a scan asked, the time and the TTL. */
export type Visit = (name: number, scan: boolean, nowSeconds: number, ttlSeconds: number) => void;

/** Seeded uniform random numbers in [0, 1) (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Replays a trace, which depends only on the options. */
export function replayTrace(options: TraceOptions, visit: Visit): void {
  const random = seededRandom(options.seed);
  const cumulative = zipf(options.names, options.exponent);
  const ttls = options.ttlsSeconds;
  // This chance of a scan yields the requested share.
  const scanChance = options.scanShare / (1 - options.scanShare) / options.scanLength;
  let scanLeft = 0;
  let scanName = options.names;
  for (let i = 0; i < options.lookups; i++) {
    const nowSeconds = i / options.lookupsPerSecond;
    if (scanLeft === 0 && scanChance > 0 && random() < scanChance) scanLeft = options.scanLength;
    const scan = scanLeft > 0;
    const name = scan ? scanName++ : draw(cumulative, random());
    if (scan) scanLeft--;
    visit(name, scan, nowSeconds, ttls[(Math.imul(name, 0x9e3779b1) >>> 16) % ttls.length]!);
  }
}

function zipf(names: number, exponent: number): Float64Array {
  const cumulative = new Float64Array(names);
  let sum = 0;
  for (let rank = 0; rank < names; rank++) {
    sum += Math.pow(rank + 1, -exponent);
    cumulative[rank] = sum;
  }
  for (let rank = 0; rank < names; rank++) cumulative[rank]! /= sum;
  return cumulative;
}

function draw(cumulative: Float64Array, at: number): number {
  let low = 0;
  let high = cumulative.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (cumulative[middle]! <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}
