import { meanOf, sumOf } from "./measures.ts";
import type { Category } from "./names.ts";
import type { Result } from "./run.ts";

/** Summary of a run; rates are per second for the whole cluster. */
export interface Summary {
  readonly steady: {
    readonly cluster: number;
    readonly outside: number;
    readonly queries: number;
    /** Share answered at once, on the node. */
    readonly hits: number;
    readonly medianMs: number;
    readonly p99Ms: number;
    readonly byCategory: ReadonlyMap<Category, number>;
  };
  readonly during: {
    readonly cluster: number;
    /** Failed lookups, by start. */
    readonly failed: number;
    /** Of them, those over five seconds. */
    readonly late: number;
    readonly medianMs: number;
    readonly p99Ms: number;
  };
  readonly after: {
    /** Peak queries to the cluster DNS in one second. */
    readonly peak: number;
    /** First minute's queries to the cluster DNS, relative to a steady minute. */
    readonly firstMinute: number;
    /** Seconds until the five-second mean stays below 1.5 times the steady load. */
    readonly settled: number;
    /** Seconds until all new lookups succeed. */
    readonly healed: number;
    /** In the first minute. */
    readonly hits: number;
    readonly p99Ms: number;
  };
}

/** Limit relative to the steady load. */
const SETTLED = 1.5;
/** Averaging window in seconds, against noise. */
const SMOOTH = 5;
const MINUTE = 60;

/** Summarizes a run. */
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
