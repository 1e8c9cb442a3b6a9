/** How many mends come at once before they are slowed down. */
const FREE_MENDS = 3;
/** Delays after a mend beyond those; they double. */
const MIN_DELAY_MS = 1000;
const MAX_DELAY_MS = 30_000;
/** After so long without a mend all is forgotten; longer than any delay. */
const CALM_MS = 60_000;

/**
 * How soon after a mend the next may be, so that two programs that undo each other's work do not
 * keep the processor busy. The times given must never go back.
 */
export class MendPace {
  #count = 0;
  #lastMs = -Infinity;
  #delayMs = 0;

  /** Mends in a row so far. */
  get count(): number {
    return this.#count;
  }

  /** Something was mended, or should have been. Returns for how long nothing more is to be. */
  mended(nowMs: number): number {
    if (nowMs - this.#lastMs > CALM_MS) this.#count = 0;
    this.#lastMs = nowMs;
    const beyond = ++this.#count - FREE_MENDS;
    this.#delayMs = beyond <= 0 ? 0 : Math.min(MIN_DELAY_MS * 2 ** (beyond - 1), MAX_DELAY_MS);
    return this.#delayMs;
  }

  /** Whether the next mend may be now. */
  allows(nowMs: number): boolean {
    return nowMs - this.#lastMs >= this.#delayMs;
  }
}
