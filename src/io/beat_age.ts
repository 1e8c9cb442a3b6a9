import { COUNTER } from "../engine/counters.ts";

/** Longer intervals between calls mean a delayed caller. */
const LATE_MS = 2000;
/** Part of it that counts. */
const LATE_COUNTS_MS = 1000;

/** Age of another thread's last turn; a late caller counts a second at most. */
export class BeatAge {
  readonly #values: Float64Array;
  readonly #index: number;
  #beat = -1;
  #seenMs = 0;
  #lookedMs = 0;

  constructor(values: Float64Array, nowMs: number, index: number = COUNTER.HEARTBEAT) {
    this.#values = values;
    this.#index = index;
    this.begin(nowMs);
  }

  begin(nowMs: number): void {
    this.#beat = this.#values[this.#index]!;
    this.#seenMs = this.#lookedMs = nowMs;
  }

  /** Monotonic; at least once a second. */
  look(nowMs: number): number {
    const sinceMs = nowMs - this.#lookedMs;
    if (this.#values[this.#index] !== this.#beat) this.begin(nowMs);
    else if (sinceMs > LATE_MS) this.#seenMs += sinceMs - LATE_COUNTS_MS;
    this.#lookedMs = nowMs;
    return nowMs - this.#seenMs;
  }
}
