/**
 * Queries beyond the first that may be sent: a share of all queries, saved up to a few.
 *
 * It bounds what second thoughts cost an upstream: one that is slow because it has too much to do is
 * not asked twice as much for it.
 */
export class Budget {
  readonly #share: number;
  readonly #most: number;
  readonly #perSecond: number;
  #tokens: number;
  #refilledMs = 0;

  /** `share` of all queries, plus `perSecond` whatever their number; at most `most` at once. */
  constructor(options: { share: number; perSecond: number; most: number }) {
    this.#share = options.share;
    this.#perSecond = options.perSecond;
    this.#most = options.most;
    this.#tokens = options.perSecond > 0 ? options.most : 0;
  }

  /** A query was sent. */
  earn(): void {
    if (this.#tokens < this.#most) this.#tokens += this.#share;
  }

  /** What was spent has proved to be needed. */
  giveBack(): void {
    if (this.#tokens < this.#most) this.#tokens++;
  }

  /** Whether one more may be sent now; if so, it is taken. */
  spend(nowMs: number): boolean {
    if (this.#perSecond > 0) {
      const refill = (nowMs - this.#refilledMs) / 1000 * this.#perSecond;
      this.#tokens = Math.min(this.#most, this.#tokens + refill);
      this.#refilledMs = nowMs;
    }
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
