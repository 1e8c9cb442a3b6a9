import { PATIENCE } from "./patience.ts";

const LIMIT_MS = 60_000 * PATIENCE;
const PAUSE_MS = 50;

/** Repeats an attempt until it succeeds; after a minute throws its last error with `why`. */
export async function eventually<T>(
  attempt: () => T | Promise<T>,
  why: () => string | Promise<string> = () => "",
): Promise<T> {
  const limitMs = performance.now() + LIMIT_MS;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > limitMs) {
        throw new Error(`${(error as Error).message}\n${await why()}`);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
