import type { Clock } from "../../../base/clock.ts";
import type { LogLevel } from "../../../engine/handler.ts";
import type { MetricRegistry } from "../../../metrics/registry.ts";

/** Why nodens closed a connection before its client was done. */
const CLOSE_REASONS = [
  /** A new connection needed the room. */
  "full",
  "slow_header",
  /** Too large, malformed, or not HTTP. */
  "malformed",
  /** The answer was not made, or not read, in time. */
  "slow_answer",
  /** Unsent answers took too much memory. */
  "memory",
] as const;
/** One of `CLOSE_REASONS`. */
export type CloseReason = (typeof CLOSE_REASONS)[number];

/** Anyone who can connect can cause these lines: at most one in this time. */
const LOG_PAUSE_MS = 10_000;

/** Counts HTTP connections over all addresses. */
export class HttpCounts {
  readonly #log: (level: LogLevel, line: string) => void;
  readonly #clock: Clock;
  readonly #open;
  readonly #accepted;
  readonly #failures;
  readonly #panics;
  readonly #closed;
  #connections = 0;
  #loggedMs = -Infinity;

  constructor(
    { registry, log }: {
      registry: MetricRegistry;
      log: (level: LogLevel, line: string) => void;
    },
    clock: Clock,
  ) {
    this.#log = log;
    this.#clock = clock;
    this.#open = registry.gauge("nodens_http_connections");
    this.#open.set(0);
    this.#accepted = registry.counter("nodens_http_connections_total");
    this.#failures = registry.counter("nodens_http_accept_failures_total");
    this.#panics = registry.counter("nodens_unhandled_errors_total");
    this.#closed = new Map(CLOSE_REASONS.map((reason) => [
      reason,
      registry.counter("nodens_http_connections_closed_total", { reason }),
    ]));
  }

  opened(): void {
    this.#accepted.add();
    this.#open.set(++this.#connections);
  }

  closed(): void {
    this.#open.set(--this.#connections);
  }

  cut(reason: CloseReason): void {
    this.#closed.get(reason)!.add();
  }

  acceptFailed(): void {
    this.#failures.add();
    this.#logSeldom("cannot accept an HTTP connection (no descriptors left?); retrying");
  }

  /** A handler threw: a fault of nodens. */
  handlerFailed(error: unknown): void {
    this.#panics.add();
    this.#logSeldom(`an HTTP request failed: ${error instanceof Error ? error.message : error}`);
  }

  #logSeldom(line: string): void {
    const nowMs = this.#clock.now();
    if (nowMs - this.#loggedMs < LOG_PAUSE_MS) return;
    this.#loggedMs = nowMs;
    this.#log("error", line);
  }
}
