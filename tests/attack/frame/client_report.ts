export const KINDS = ["hit", "miss", "tcp hit", "tcp miss"] as const;
export type Kind = (typeof KINDS)[number];

export type Sample = readonly [kind: number, askedAt: number, latencyMs: number];

export interface KindReport {
  readonly asked: number;
  readonly lost: number;
  readonly p50: number;
  readonly p99: number;
}

/** The client's results in a time span: hits and misses, over UDP and TCP. */
export interface ClientReport {
  readonly hits: KindReport;
  readonly misses: KindReport;
}

/** Reports on the questions asked in [from, to). */
export function reportOn(samples: readonly Sample[], from: number, to: number): ClientReport {
  const within = samples.filter(([, at]) => at >= from && at < to);
  return { hits: reportKind(within, "hit"), misses: reportKind(within, "miss") };
}

function reportKind(samples: readonly Sample[], kind: "hit" | "miss"): KindReport {
  const both = samples.filter(([index]) => KINDS[index]!.endsWith(kind));
  const latencies = both.filter(([index, , ms]) => KINDS[index] === kind && ms >= 0)
    .map(([, , ms]) => ms).sort((a, b) => a - b);
  return {
    asked: both.length,
    lost: both.filter(([, , ms]) => ms < 0).length,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
  };
}

/** A quantile of sorted numbers (nearest rank); 0 if there are none. */
export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
}
