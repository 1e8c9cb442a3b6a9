import type { LogLevel } from "../engine/handler.ts";
import type { MetricRegistry } from "../metrics/registry.ts";

/** Lines that are logged at once; a fault that comes again and again must not fill the log. */
const BURST = 5;
/** Time after which one more may be logged. */
const EARN_MS = 10_000;

/** Where an exception that nobody caught arrives. */
export interface ErrorEvents {
  addEventListener(type: string, listener: (event: Event) => void): void;
  removeEventListener(type: string, listener: (event: Event) => void): void;
}

/**
 * Keeps the process alive whatever the control plane throws: DNS is answered by other threads, which
 * such an exception does not concern. It is counted and logged with where it came from.
 *
 * Called once everything serves, so that a start that fails still ends the process. Returns a
 * function that takes it back.
 */
export function surviveErrors(
  { registry, log, target = globalThis, nowMs = () => performance.now() }: {
    registry: MetricRegistry;
    log: (level: LogLevel, line: string) => void;
    target?: ErrorEvents;
    nowMs?: () => number;
  },
): () => void {
  const count = registry.counter("nodens_unhandled_errors_total");
  let lines = BURST;
  let earnedMs = nowMs();
  let unsaid = 0;
  const survive = (event: Event) => {
    event.preventDefault();
    count.add();
    const earned = Math.floor((nowMs() - earnedMs) / EARN_MS);
    lines = Math.min(BURST, lines + earned);
    earnedMs += earned * EARN_MS;
    if (lines === 0) {
      unsaid++;
      return;
    }
    lines--;
    const more = unsaid === 0 ? "" : ` (and ${unsaid} more since the last line)`;
    unsaid = 0;
    log("error", `unexpected exception in the control plane: ${textOf(event)}${more}; going on`);
  };
  const types = ["error", "unhandledrejection"] as const;
  for (const type of types) target.addEventListener(type, survive);
  return () => {
    for (const type of types) target.removeEventListener(type, survive);
  };
}

/** The exception, on one line, with the place in the source. */
function textOf(event: Event): string {
  const { error, reason } = event as Partial<ErrorEvent & PromiseRejectionEvent>;
  const thrown: unknown = error ?? reason;
  if (!(thrown instanceof Error)) return String(thrown);
  const place = /^\s+(at .*)$/m.exec(thrown.stack ?? "")?.[1];
  const text = String(thrown).replaceAll("\n", " ");
  return place === undefined ? text : `${text} (${place})`;
}
