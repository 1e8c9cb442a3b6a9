import { type Clock, systemClock } from "./clock.ts";

/** Waits at most `limitMs`; returns whether the work finished. Rejects if the work does. */
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
