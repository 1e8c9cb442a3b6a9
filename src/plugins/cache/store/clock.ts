import { RECHECK, SEEN, STORED } from "./row.ts";

/**
 * Tenths of a second after which the clock begins anew: 3.4 years. Rows hold times as signed 32-bit
 * numbers, and what lies this far back or ahead of the clock still fits.
 */
export const CLOCK_SPAN = 2 ** 30;

/** What keeps times by a clock that begins anew. */
export interface Clocked {
  /** Makes all its times earlier by so many tenths of a second. */
  moveBack(tenths: number): void;
}

/** The clock of the stores of one cache: tenths of a second since it was started, never `CLOCK_SPAN`. */
export class StoreClock {
  readonly #stores: readonly Clocked[];
  /** Its zero, in monotonic milliseconds. */
  #startMs: number;

  constructor(startMs: number, stores: readonly Clocked[]) {
    this.#startMs = startMs;
    this.#stores = stores;
  }

  /** The time on it. */
  read(nowMs: number): number {
    const tenths = (nowMs - this.#startMs) / 100;
    return tenths < CLOCK_SPAN ? tenths | 0 : this.#restart(tenths);
  }

  /** Moves its zero to now, and all times in the stores with it. */
  #restart(tenths: number): number {
    const whole = Math.floor(tenths);
    for (const store of this.#stores) store.moveBack(whole);
    this.#startMs += 100 * whole;
    return 0;
  }
}

/** Makes the times of a row earlier; false if the entry is too old for them to fit. */
export function moveTimesBack(rows: Int32Array, row: number, tenths: number): boolean {
  const storedAt = rows[row + STORED]! - tenths;
  if (storedAt < -CLOCK_SPAN) return false;
  rows[row + STORED] = storedAt;
  // Longer ago than that makes no difference.
  rows[row + SEEN] = Math.max(rows[row + SEEN]! - tenths, -CLOCK_SPAN);
  rows[row + RECHECK] = Math.max(rows[row + RECHECK]! - tenths, -CLOCK_SPAN);
  return true;
}
