/** Zone whose every name both upstreams know. */
export const ZONE = "failures.example";

/** How long the client waits for an answer: as long as a stub resolver (`timeout:5`). */
export const CLIENT_TIMEOUT_MS = 5_000;

/** Outcome of a query: when it was sent, the time to its answer (-1 without one), and its code. */
export type Outcome = [sentMs: number, latencyMs: number, rcode: number];

/** A span of a run by what clients saw in it. */
export interface Span {
  sent: number;
  /** Answered NOERROR. */
  answered: number;
  /** Answered with another code. */
  failed: number;
  /** Not answered within the client's timeout. */
  lost: number;
  /** Of all queries, lost ones counted with the client's timeout; NaN if none were sent. */
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

/** Sums up the queries sent from `fromMs` until before `untilMs`. */
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
