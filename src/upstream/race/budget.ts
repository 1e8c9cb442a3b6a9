/** Bounds extra queries. */
export class Budget {
  readonly #options: { share: number; perSecond: number; most: number };
  #tokens: number;
  #refilledMs = 0;

  /** A share of all queries plus `perSecond`, `most` at once. */
  constructor(options: { share: number; perSecond: number; most: number }) {
    this.#options = options;
    this.#tokens = options.perSecond > 0 ? options.most : 0;
  }

  earn(): void {
    const { share, most } = this.#options;
    if (this.#tokens < most) this.#tokens += share;
  }

  giveBack(): void {
    if (this.#tokens < this.#options.most) this.#tokens++;
  }

  spend(nowMs: number): boolean {
    const { perSecond, most } = this.#options;
    if (perSecond > 0) {
      const refill = (nowMs - this.#refilledMs) / 1000 * perSecond;
      this.#tokens = Math.min(most, this.#tokens + refill);
      this.#refilledMs = nowMs;
    }
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
