import { type Clock, systemClock } from "./clock.ts";

/**
 * Waits for work for `limitMs` at most; returns whether it was done in time. Rejects if the work does.
 * Work that is late continues, and its outcome is ignored.
 */
export async function doneWithin(
  work: Promise<unknown>,
  limitMs: number,
  clock: Clock = systemClock,
): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  const cancel = clock.after(limitMs, () => late.resolve(false));
  try {
    return await Promise.race([work.then(() => true), late.promise]);
  } finally {
    cancel();
  }
}
