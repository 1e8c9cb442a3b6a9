/** Zone whose names both upstreams answer. */
export const ZONE = "failures.example";

/** As in a stub resolver (`timeout:5`). */
export const CLIENT_TIMEOUT_MS = 5_000;

/** Outcome of a query; latency is -1 without an answer. */
export type Outcome = [sentMs: number, latencyMs: number, rcode: number];

/** Clients' view of a span of a run. */
export interface Span {
  sent: number;
  /** Answered NOERROR. */
  answered: number;
  /** Answered with another code. */
  failed: number;
  /** Unanswered within the client's timeout. */
  lost: number;
  /** Over all queries, with the timeout for lost ones; NaN without queries. */
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

/** Summarizes queries sent from `fromMs` until before `untilMs`. */
export function spanOf(outcomes: readonly Outcome[], fromMs: number, untilMs: number): Span {
  const some = outcomes.filter(([sentMs]) => sentMs >= fromMs && sentMs < untilMs);
  const latencies = some.map(([, latencyMs]) =>
    latencyMs < 0 || latencyMs > CLIENT_TIMEOUT_MS ? CLIENT_TIMEOUT_MS : latencyMs
  ).toSorted((a, b) => a - b);
  const at = (share: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? NaN;
  const lost = some.filter(([, latencyMs]) => latencyMs < 0 || latencyMs > CLIENT_TIMEOUT_MS);
  const answered = some.filter((one) => !lost.includes(one) && one[2] === 0).length;
  return {
    sent: some.length,
    answered,
    failed: some.length - answered - lost.length,
    lost: lost.length,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
  };
}
