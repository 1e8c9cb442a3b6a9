/** Restarts within `WINDOW_MS` after which another one does not help. */
export const MAX_RESTARTS = 5;
const WINDOW_MS = 60_000;

/** Bounds how often a thread that fails is started again. */
export class RestartLimit {
  #recent: number[] = [];

  /** Counts a restart at `nowMs`; returns false if there were too many within a minute. */
  allows(nowMs: number): boolean {
    this.#recent = this.#recent.filter((at) => nowMs - at < WINDOW_MS);
    if (this.#recent.length >= MAX_RESTARTS) return false;
    this.#recent.push(nowMs);
    return true;
  }
}
