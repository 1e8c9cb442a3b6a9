import { type Clock, systemClock } from "../../base/clock.ts";

/** Maximum from opening HTTP to serving DNS. */
const START_MS = 1000;
const PAUSE_MS = 20;

/**
 * Retries an address that another starting process may have: neither sees the other before serving.
 * Throws the last error.
 */
export async function startBeside<T>(
  attempt: (beside: boolean) => T,
  { isBeside, clock = systemClock }: {
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
