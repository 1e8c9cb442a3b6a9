/**
 * Waits for work, for `limitMs` at most; returns whether it was done in time. Rejects if the work
 * does. Work that comes too late goes on, and what comes of it is ignored.
 */
export async function doneWithin(work: Promise<unknown>, limitMs: number): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  const timer = setTimeout(() => late.resolve(false), limitMs);
  try {
    return await Promise.race([work.then(() => true), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
