import { type Clock, systemClock } from "../../base/clock.ts";

/** A starting process opens HTTP less than this before it serves DNS. */
const START_MS = 1000;
const PAUSE_MS = 20;

/**
 * Retries opening an address that another starting process may have: two see each other only once
 * one serves. Throws the last error.
 */
export async function startBeside<T>(
  attempt: (beside: boolean) => T,
  { isBeside, clock = systemClock }: {
    /** Whether another process serves the same DNS addresses. */
    isBeside: () => boolean;
    clock?: Clock;
  },
): Promise<T> {
  const limitMs = clock.now() + START_MS;
  for (;;) {
    const beside = isBeside();
    try {
      return attempt(beside);
    } catch (error) {
      if (beside || clock.now() >= limitMs) throw error;
    }
    await clock.sleep(PAUSE_MS);
  }
}
