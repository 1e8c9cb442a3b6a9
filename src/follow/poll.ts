import type { Clock } from "../base/clock.ts";

/**
 * Repeats `work` until `stop` aborts; resolves once nothing is running. `work` returns the
 * milliseconds until its next run; the first is after `delayMs`.
 */
export async function poll(
  work: () => Promise<number>,
  { clock, stop, delayMs }: { clock: Clock; stop: AbortSignal; delayMs: number },
): Promise<void> {
  for (let nextMs = delayMs; !stop.aborted; nextMs = await work()) {
    if (nextMs > 0) await pause(nextMs, clock, stop);
    if (stop.aborted) return;
  }
}

function pause(ms: number, clock: Clock, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      cancel();
      stop.removeEventListener("abort", end);
      resolve();
    };
    const cancel = clock.after(ms, end);
    stop.addEventListener("abort", end);
  });
}
