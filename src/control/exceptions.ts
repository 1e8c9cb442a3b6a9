import { type Clock, systemClock } from "../base/clock.ts";
import type { LogLevel } from "../engine/handler.ts";
import type { MetricRegistry } from "../metrics/registry.ts";

/** A recurring fault must not fill the log. */
const BURST = 5;
const EARN_MS = 10_000;

/** Source of `error` and `unhandledrejection` events. */
export interface ErrorEvents {
  addEventListener(type: string, listener: (event: Event) => void): void;
  removeEventListener(type: string, listener: (event: Event) => void): void;
}

/**
 * Keeps DNS served when the control plane throws; call after the start. Returns an undo function.
 */
export function surviveErrors(
  { registry, log, target = globalThis, clock = systemClock }: {
    registry: MetricRegistry;
    log: (level: LogLevel, line: string) => void;
    target?: ErrorEvents;
    clock?: Clock;
  },
): () => void {
  const count = registry.counter("nodens_unhandled_errors_total");
  let lines = BURST;
  let earnedMs = clock.now();
  let suppressed = 0;
  const survive = (event: Event) => {
    event.preventDefault();
    count.add();
    const earned = Math.floor((clock.now() - earnedMs) / EARN_MS);
    lines = Math.min(BURST, lines + earned);
    earnedMs += earned * EARN_MS;
    if (lines === 0) {
      suppressed++;
      return;
    }
    lines--;
    const more = suppressed === 0 ? "" : ` (and ${suppressed} more since the last line)`;
    suppressed = 0;
    const text = exceptionText(thrownBy(event));
    log("error", `unexpected exception in the control plane: ${text}${more}; continuing`);
  };
  const types = ["error", "unhandledrejection"] as const;
  for (const type of types) target.addEventListener(type, survive);
  return () => {
    for (const type of types) target.removeEventListener(type, survive);
  };
}

/** One line with the first stack frame, or the whole stack. */
export function exceptionText(thrown: unknown, wholeStack = false): string {
  if (!(thrown instanceof Error)) return String(thrown);
  if (wholeStack) return thrown.stack ?? String(thrown);
  const frame = /^\s+(at .*)$/m.exec(thrown.stack ?? "")?.[1];
  const text = String(thrown).replaceAll("\n", " ");
  return frame === undefined ? text : `${text} (${frame})`;
}

/** Exception of an `error` or `unhandledrejection` event. */
export function thrownBy(event: Event): unknown {
  const { error, reason } = event as Partial<ErrorEvent & PromiseRejectionEvent>;
  return error ?? reason;
}
