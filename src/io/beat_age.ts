import { COUNTER } from "../engine/counters.ts";

/** Longest interval between two calls of `look` on a healthy thread, which should call it each second. */
const LATE_MS = 2000;
/** How much of a longer interval counts: the other thread may have been held up just as long. */
const LATE_COUNTS_MS = 1000;

/**
 * How long another thread's loop has stood still, by the counter of its turns. Time for which the
 * observing thread was itself held up (busy, or a suspended machine) counts for a second at most: so
 * it blames nobody for its own lateness, and still detects a thread that hangs. Times are monotonic
 * milliseconds.
 */
export class BeatAge {
  readonly #values: Float64Array;
  readonly #index: number;
  #beat = -1;
  #seenMs = 0;
  #lookedMs = 0;

  /**
   * @param values - the thread's counters
   * @param index - the one of its turns, by default that of a data plane
   */
  constructor(values: Float64Array, nowMs: number, index: number = COUNTER.HEARTBEAT) {
    this.#values = values;
    this.#index = index;
    this.begin(nowMs);
  }

  /** Restarts at age 0. */
  begin(nowMs: number): void {
    this.#beat = this.#values[this.#index]!;
    this.#seenMs = this.#lookedMs = nowMs;
  }

  /** Time since the loop last turned. Call it at least once a second. */
  look(nowMs: number): number {
    const sinceMs = nowMs - this.#lookedMs;
    if (this.#values[this.#index] !== this.#beat) this.begin(nowMs);
    else if (sinceMs > LATE_MS) this.#seenMs += sinceMs - LATE_COUNTS_MS;
    this.#lookedMs = nowMs;
    return nowMs - this.#seenMs;
  }
}
