import type { Clock } from "../../../base/clock.ts";
import type { LogLevel } from "../../../engine/handler.ts";
import type { MetricRegistry } from "../../../metrics/registry.ts";

/** Why nodens closed early; "full": for a new one. */
const CLOSE_REASONS = [
  "full",
  "slow_header",
  "malformed",
  "slow_answer",
  "memory",
] as const;
/** One of `CLOSE_REASONS`. */
export type CloseReason = (typeof CLOSE_REASONS)[number];
/** HTTP counters over all addresses. */
export type HttpCounts = ReturnType<typeof countHttp>;

/** Between log lines, which clients can cause. */
const LOG_PAUSE_MS = 10_000;

/** Creates the counters. */
export function countHttp(
  { registry, log, clock }: {
    registry: MetricRegistry;
    log: (level: LogLevel, line: string) => void;
    clock: Clock;
  },
) {
  const open = registry.gauge("nodens_http_connections");
  const accepted = registry.counter("nodens_http_connections_total");
  const failures = registry.counter("nodens_http_accept_failures_total");
  const panics = registry.counter("nodens_unhandled_errors_total");
  const cuts = new Map(CLOSE_REASONS.map((reason) => [
    reason,
    registry.counter("nodens_http_connections_closed_total", { reason }),
  ]));
  let connections = 0;
  open.set(0);
  let loggedMs = -Infinity;
  const logSeldom = (line: string) => {
    if (clock.now() - loggedMs < LOG_PAUSE_MS) return;
    loggedMs = clock.now();
    log("error", line);
  };
  return {
    opened() {
      accepted.add();
      open.set(++connections);
    },
    closed: () => open.set(--connections),
    cut: (reason: CloseReason) => cuts.get(reason)!.add(),
    acceptFailed() {
      failures.add();
      logSeldom("cannot accept an HTTP connection (no descriptors left?); retrying");
    },
    handlerFailed(error: unknown) {
      panics.add();
      logSeldom(`an HTTP request failed: ${error instanceof Error ? error.message : error}`);
    },
  };
}
