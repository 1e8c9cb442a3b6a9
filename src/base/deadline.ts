import { type Clock, systemClock } from "./clock.ts";

/**
 * Waits for work, at most `limitMs`; returns whether it finished in time. Rejects if the work does.
 * Late work continues, and its result is ignored.
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
