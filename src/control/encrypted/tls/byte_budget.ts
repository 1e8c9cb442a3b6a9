/** A user of a shared byte budget. */
export interface Holder {
  held: number;
  /** The budget requires this holder to release everything. */
  exhausted(): void;
}

/** Byte limit; evicts the largest holder. */
export class ByteBudget {
  #limit: number;
  readonly #holders = new Set<Holder>();
  #used = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get limit(): number {
    return this.#limit;
  }

  set limit(limit: number) {
    this.#limit = limit;
    this.#enforce();
  }

  get used(): number {
    return this.#used;
  }

  /** `change` may be negative. */
  change(holder: Holder, change: number): void {
    holder.held += change;
    this.#used += change;
    if (change > 0) this.#holders.add(holder);
    this.#enforce();
  }

  forget(holder: Holder): void {
    this.#holders.delete(holder);
    this.#used -= holder.held;
    holder.held = 0;
  }

  #enforce(): void {
    while (this.#used > this.#limit && this.#holders.size > 0) {
      const largest = [...this.#holders].reduce((most, one) => one.held > most.held ? one : most);
      largest.exhausted();
      this.forget(largest);
    }
  }
}
