import { meanOf, sumOf } from "./measures.ts";
import type { Category } from "./names.ts";
import type { Result } from "./run.ts";

/** Summary of a run; rates are the whole cluster's per second. */
export interface Summary {
  readonly steady: {
    readonly cluster: number;
    readonly outside: number;
    /** Queries of pods. */
    readonly queries: number;
    /** Share of those that were answered at once, on the node. */
    readonly hits: number;
    /** Times that lookups take. */
    readonly medianMs: number;
    readonly p99Ms: number;
    readonly byCategory: ReadonlyMap<Category, number>;
  };
  readonly during: {
    readonly cluster: number;
    /** Of the lookups begun in it, those that failed. */
    readonly failed: number;
    /** Of them, those that took longer than five seconds. */
    readonly late: number;
    readonly medianMs: number;
    readonly p99Ms: number;
  };
  readonly after: {
    /** Most queries to the cluster DNS in one second. */
    readonly peak: number;
    /** Queries to the cluster DNS in the first minute, as a multiple of a steady minute. */
    readonly firstMinute: number;
    /**
     * Seconds until the load, by the mean of five seconds, stays below one and a half times the
     * steady one.
     */
    readonly settled: number;
    /** Seconds until no lookup that begins fails. */
    readonly healed: number;
    /** In the first minute. */
    readonly hits: number;
    readonly p99Ms: number;
  };
}

/** Limit of the usual load, as a multiple of it. */
const SETTLED = 1.5;
/** Seconds over which that is looked at, so that the noise of a small sample does not count. */
const SMOOTH = 5;
const MINUTE = 60;

/** Sums up a run. */
export function summarize({ measures, scale, timeline, overAt, endsAt }: Result): Summary {
  const { cluster, outside, queries, hits, lookups, failed, late, byCategory } = measures;
  const { steadyFrom, eventFrom } = timeline;
  const steady = meanOf(cluster, steadyFrom, eventFrom);
  const minute = Math.min(overAt + MINUTE, endsAt);
  const after = cluster.subarray(overAt, endsAt);
  return {
    steady: {
      cluster: scale * steady,
      outside: scale * meanOf(outside, steadyFrom, eventFrom),
      queries: scale * meanOf(queries, steadyFrom, eventFrom),
      hits: sumOf(hits, steadyFrom, eventFrom) / sumOf(queries, steadyFrom, eventFrom),
      medianMs: measures.quantileMs(0.5, steadyFrom, eventFrom),
      p99Ms: measures.quantileMs(0.99, steadyFrom, eventFrom),
      byCategory: new Map(
        [...byCategory].map(([name, count]) => [name, scale * count / (eventFrom - steadyFrom)]),
      ),
    },
    during: {
      cluster: scale * meanOf(cluster, eventFrom, overAt),
      failed: sumOf(failed, eventFrom, overAt) / sumOf(lookups, eventFrom, overAt),
      late: sumOf(late, eventFrom, overAt) / sumOf(lookups, eventFrom, overAt),
      medianMs: measures.quantileMs(0.5, eventFrom, overAt),
      p99Ms: measures.quantileMs(0.99, eventFrom, overAt),
    },
    after: {
      peak: scale * Math.max(...after),
      firstMinute: meanOf(cluster, overAt, minute) / steady,
      settled:
        after.findLastIndex((_, second) =>
          meanOf(after, second, Math.min(second + SMOOTH, after.length)) > SETTLED * steady
        ) + 1,
      healed: failed.subarray(overAt, endsAt).findLastIndex((count) => count > 0) + 1,
      hits: sumOf(hits, overAt, minute) / sumOf(queries, overAt, minute),
      p99Ms: measures.quantileMs(0.99, overAt, minute),
    },
  };
}
