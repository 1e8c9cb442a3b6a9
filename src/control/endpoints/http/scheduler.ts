import type { Cancel, Clock } from "../../../base/clock.ts";
import type { HttpLimits } from "./limits.ts";

type Queue = Map<unknown, () => void>;

/** Schedules answers: each turn a few probes, then one page (rate-limited). */
export type HttpScheduler = ReturnType<typeof makeScheduler>;

/** Creates an `HttpScheduler`. */
export function makeScheduler(
  { probesATurn, pagesASecond, pagesInARow }: Pick<
    HttpLimits,
    "probesATurn" | "pagesASecond" | "pagesInARow"
  >,
  clock: Clock,
) {
  const probes: Queue = new Map();
  const pages: Queue = new Map();
  let allowed = pagesInARow;
  let refilledMs = clock.now();
  let scheduled = false;
  let cancelPause: Cancel | null = null;

  const mayAnswerPage = (): boolean => {
    if (pages.size === 0) return false;
    const nowMs = clock.now();
    allowed = Math.min(pagesInARow, allowed + (nowMs - refilledMs) / 1000 * pagesASecond);
    refilledMs = nowMs;
    return allowed >= 1;
  };
  const run = () => {
    scheduled = false;
    for (let left = probesATurn; left > 0 && probes.size > 0; left--) {
      release(probes, first(probes));
    }
    if (mayAnswerPage()) {
      allowed--;
      release(pages, first(pages));
    }
    schedule();
  };
  const schedule = () => {
    if (scheduled) return;
    if (probes.size > 0 || mayAnswerPage()) {
      cancelPause?.();
      cancelPause = null;
      scheduled = true;
      setImmediate(run);
    } else if (pages.size > 0 && cancelPause === null) {
      cancelPause = clock.after(Math.ceil((1 - allowed) * 1000 / pagesASecond), () => {
        cancelPause = null;
        schedule();
      });
    }
  };
  return {
    /** Resolves at its turn, or after `leave`. */
    wait: (connection: unknown, kind: "probe" | "page"): Promise<void> =>
      new Promise((resolve) => {
        (kind === "probe" ? probes : pages).set(connection, resolve);
        schedule();
      }),
    leave(connection: unknown): void {
      for (const queue of [probes, pages]) release(queue, connection);
    },
  };
}

function first(queue: Queue): unknown {
  return queue.keys().next().value;
}

function release(queue: Queue, connection: unknown): void {
  const resolve = queue.get(connection);
  queue.delete(connection);
  resolve?.();
}
