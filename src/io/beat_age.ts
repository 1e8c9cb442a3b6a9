import { COUNTER } from "../engine/counters.ts";

/** Longest time between two looks of a healthy thread, which should look every second. */
const LATE_MS = 2000;
/** What such a gap counts for: the other thread may have been held up as long as this one. */
const LATE_COUNTS_MS = 1000;

/**
 * For how long a thread's loop has not come round, as another thread sees it by the counter of
 * its turns. Time for which that thread was itself held up (busy, or on a suspended machine) counts
 * for a second at most, so that it does not blame the other for its own lateness, and a thread
 * that hangs is found out all the same. Times are monotonic milliseconds.
 */
export class BeatAge {
  readonly #values: Float64Array;
  readonly #place: number;
  #beat = -1;
  #seenMs = 0;
  #lookedMs = 0;

  /**
   * @param values - the thread's counters
   * @param place - where that of its turns lies, by default where a data plane has it
   */
  constructor(values: Float64Array, nowMs: number, place: number = COUNTER.HEARTBEAT) {
    this.#values = values;
    this.#place = place;
    this.begin(nowMs);
  }

  /** Counts from now on. */
  begin(nowMs: number): void {
    this.#beat = this.#values[this.#place]!;
    this.#seenMs = this.#lookedMs = nowMs;
  }

  /** Time since the loop was last seen to come round. Call it once a second at least. */
  look(nowMs: number): number {
    const sinceMs = nowMs - this.#lookedMs;
    if (this.#values[this.#place] !== this.#beat) {
      this.begin(nowMs);
    } else if (sinceMs > LATE_MS) {
      this.#seenMs += sinceMs - LATE_COUNTS_MS;
    }
    this.#lookedMs = nowMs;
    return nowMs - this.#seenMs;
  }
}
