import { COUNTER } from "../engine/counters.ts";

/** Longest time between two looks of a healthy thread, which should look every second. */
const LATE_MS = 2000;
/** What such a gap counts for: the other thread may have been held up as long as this one. */
const LATE_COUNTS_MS = 1000;

/**
 * For how long a data plane's loop has not come round, as another thread sees it by the counter of
 * its turns. Time for which that thread was itself held up (busy, or on a suspended machine) counts
 * for a second at most, so that it does not blame the other for its own lateness, and a data plane
 * that hangs is found out all the same. Times are monotonic milliseconds.
 */
export class BeatAge {
  readonly #values: Float64Array;
  #beat = -1;
  #seenMs = 0;
  #lookedMs = 0;

  /** @param values - the data plane's counters */
  constructor(values: Float64Array, nowMs: number) {
    this.#values = values;
    this.begin(nowMs);
  }

  /** Counts from now on. */
  begin(nowMs: number): void {
    this.#beat = this.#values[COUNTER.HEARTBEAT]!;
    this.#seenMs = this.#lookedMs = nowMs;
  }

  /** Time since the loop was last seen to come round. Call it once a second at least. */
  look(nowMs: number): number {
    const sinceMs = nowMs - this.#lookedMs;
    if (this.#values[COUNTER.HEARTBEAT] !== this.#beat) {
      this.begin(nowMs);
    } else if (sinceMs > LATE_MS) {
      this.#seenMs += sinceMs - LATE_COUNTS_MS;
    }
    this.#lookedMs = nowMs;
    return nowMs - this.#seenMs;
  }
}
