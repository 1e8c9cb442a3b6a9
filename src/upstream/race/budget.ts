/**
 * Extra queries: a share of all queries, saved up to a maximum. It bounds the load of extra queries
 * on upstreams that are slow because they are overloaded.
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
    this.#most = options.most;
    this.#perSecond = options.perSecond;
    this.#tokens = options.perSecond > 0 ? options.most : 0;
  }

  earn(): void {
    if (this.#tokens < this.#most) this.#tokens += this.#share;
  }

  giveBack(): void {
    if (this.#tokens < this.#most) this.#tokens++;
  }

  /** Returns false if nothing is left. */
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
