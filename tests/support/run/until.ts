import { PATIENCE } from "./patience.ts";

/** Only a hang takes this long: a busy machine may be ten times slower. */
const UNTIL_MS = 60_000 * PATIENCE;

/** Waits for a condition; throws after a minute. */
export async function until(condition: () => boolean, what = "it"): Promise<void> {
  const limitMs = performance.now() + UNTIL_MS;
  while (!condition()) {
    if (performance.now() > limitMs) {
      throw new Error(`${what} did not happen within ${UNTIL_MS / 1000} s`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
