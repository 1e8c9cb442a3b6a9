import { CATEGORIES, type Category, type Query } from "./names.ts";

/** Histogram steps per octave of lookup times, from 0.1 ms. */
const STEPS = 8;
const LEAST_MS = 0.1;
const BUCKETS = 160;
/** Common connection timeout of programs, including the lookup. */
const LATE_MS = 5000;

/** Counts of a run per second of virtual time. */
export class Measures {
  /** Queries sent to the cluster DNS, even if it is down. */
  readonly cluster: Float64Array;
  readonly outside: Float64Array;
  /** Queries of pods, and those answered at once on the node. */
  readonly queries: Float64Array;
  readonly hits: Float64Array;
  /** Lookups by starting second, and those that failed. */
  readonly lookups: Float64Array;
  readonly failed: Float64Array;
  /** Successful, but slower than most programs wait. */
  readonly late: Float64Array;
  /** Queries to the cluster DNS in steady state by category. */
  readonly byCategory = new Map<Category, number>(CATEGORIES.map((category) => [category, 0]));
  readonly #steady: readonly [number, number];
  readonly #times: Map<number, Float64Array> = new Map();

  constructor({ seconds, steady }: { seconds: number; steady: readonly [number, number] }) {
    const series = () => new Float64Array(seconds);
    this.cluster = series();
    this.outside = series();
    this.queries = series();
    this.hits = series();
    this.lookups = series();
    this.failed = series();
    this.late = series();
    this.#steady = steady;
  }

  sentToCluster(nowMs: number, query: Query | undefined): void {
    const second = Math.floor(nowMs / 1000);
    this.cluster[second]!++;
    const [from, until] = this.#steady;
    if (query === undefined || second < from || second >= until) return;
    this.byCategory.set(query.category, this.byCategory.get(query.category)! + 1);
  }

  sentOutside(nowMs: number): void {
    this.outside[Math.floor(nowMs / 1000)]!++;
  }

  asked(nowMs: number, hit: boolean): void {
    const second = Math.floor(nowMs / 1000);
    this.queries[second]!++;
    if (hit) this.hits[second]!++;
  }

  lookedUp(startMs: number, nowMs: number, good: boolean): void {
    const second = Math.floor(startMs / 1000);
    this.lookups[second]!++;
    if (!good) this.failed[second]!++;
    else if (nowMs - startMs > LATE_MS) this.late[second]!++;
    const bucket = Math.ceil(STEPS * Math.log2(Math.max(nowMs - startMs, LEAST_MS) / LEAST_MS));
    let counts = this.#times.get(second);
    if (counts === undefined) this.#times.set(second, counts = new Float64Array(BUCKETS));
    counts[Math.min(bucket, BUCKETS - 1)]!++;
  }

  /** Quantile of lookup times over a span of seconds, within 9 %. */
  quantileMs(share: number, from: number, until: number): number {
    const sums = new Float64Array(BUCKETS);
    let total = 0;
    for (let second = from; second < until; second++) {
      this.#times.get(second)?.forEach((count, bucket) => {
        sums[bucket]! += count;
        total += count;
      });
    }
    let left = total * share;
    const bucket = sums.findIndex((count) => (left -= count) < 0);
    return bucket < 0 ? NaN : bucket === 0 ? 0 : LEAST_MS * 2 ** (bucket / STEPS);
  }
}

/** Mean over seconds. */
export function meanOf(series: Float64Array, from: number, until: number): number {
  return sumOf(series, from, until) / (until - from);
}

/** Sum over seconds. */
export function sumOf(series: Float64Array, from: number, until: number): number {
  return series.subarray(from, until).reduce((sum, value) => sum + value, 0);
}
