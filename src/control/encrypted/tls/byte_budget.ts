/** Something that holds bytes for which a budget is shared. */
export interface Holder {
  /** Bytes that it holds; the budget alone changes it. */
  held: number;
  /** The budget is used up and it holds most: it must let go of everything. */
  exhausted(): void;
}

/** Bytes that several holders may hold together. Whoever holds most goes where that is too much. */
export class ByteBudget {
  #limit: number;
  readonly #holders = new Set<Holder>();
  #used = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes that may be held together. Where it is lowered, whoever holds most goes at once. */
  get limit(): number {
    return this.#limit;
  }

  set limit(limit: number) {
    this.#limit = limit;
    this.#enforce();
  }

  /** Bytes that are held in all. */
  get used(): number {
    return this.#used;
  }

  /** A holder holds so many bytes more, or less where `change` is below zero. */
  change(holder: Holder, change: number): void {
    holder.held += change;
    this.#used += change;
    if (change > 0) this.#holders.add(holder);
    this.#enforce();
  }

  /** A holder holds nothing any more. */
  forget(holder: Holder): void {
    this.#holders.delete(holder);
    this.#used -= holder.held;
    holder.held = 0;
  }

  #enforce(): void {
    while (this.#used > this.#limit) {
      const largest = this.#largest();
      if (largest === null) return;
      largest.exhausted();
      this.forget(largest);
    }
  }

  #largest(): Holder | null {
    let largest: Holder | null = null;
    for (const holder of this.#holders) {
      if (largest === null || holder.held > largest.held) largest = holder;
    }
    return largest;
  }
}
