import type { LogLevel } from "../../../engine/handler.ts";
import type { MetricRegistry } from "../../../metrics/registry.ts";
import type { HttpCounts } from "./address.ts";
import type { CloseReason } from "./connection.ts";

const REASONS: readonly CloseReason[] = [
  "full",
  "slow_header",
  "malformed",
  "slow_answer",
  "memory",
];
/** A line that anybody who may connect can cause is logged once in this time at most. */
const LOG_PAUSE_MS = 10_000;

/** Counts what becomes of HTTP connections, over all addresses. */
export function countHttp(
  { registry, log }: {
    registry: MetricRegistry;
    log: (level: LogLevel, line: string) => void;
  },
): HttpCounts {
  const open = registry.gauge("nodens_http_connections");
  const accepted = registry.counter("nodens_http_connections_total");
  const failures = registry.counter("nodens_http_accept_failures_total");
  const panics = registry.counter("nodens_unhandled_errors_total");
  const cuts = new Map(
    REASONS.map((reason) => [
      reason,
      registry.counter("nodens_http_connections_closed_total", { reason }),
    ]),
  );
  let connections = 0;
  const setOpen = (change: number) => open.set(connections += change);
  setOpen(0);
  let loggedMs = -Infinity;
  const logSeldom = (line: string) => {
    if (performance.now() - loggedMs < LOG_PAUSE_MS) return;
    loggedMs = performance.now();
    log("error", line);
  };
  return {
    opened() {
      accepted.add();
      setOpen(1);
    },
    closed: () => setOpen(-1),
    cut: (reason) => cuts.get(reason)!.add(),
    notAccepted() {
      failures.add();
      logSeldom("an HTTP connection cannot be accepted (no descriptors left?); trying again");
    },
    failed(error) {
      panics.add();
      logSeldom(`an HTTP request failed: ${error instanceof Error ? error.message : error}`);
    },
  };
}
