import { CLIENT_BUCKETS } from "../../../engine/exchange/exchange.ts";

/** What a store is short of when an entry has to go. */
export type Shortage = "entries" | "bytes";

/**
 * Counts what each client bucket has brought into a store: entries, and the bytes of their messages. One
 * that brings few but large messages takes as much from the others as one that brings many.
 */
export class Owners {
  readonly entries = new Tally();
  readonly bytes = new Tally();

  /** Counts an entry in. */
  add(owner: number, bytes: number): void {
    this.entries.add(owner, 1);
    this.bytes.add(owner, bytes);
  }

  /** Counts an entry out. */
  remove(owner: number, bytes: number): void {
    this.entries.add(owner, -1);
    this.bytes.add(owner, -bytes);
  }
}

/** Amounts by owner, and the fair share of those who have any: the same for each. */
export class Tally {
  readonly #amounts = new Float64Array(CLIENT_BUCKETS);
  #total = 0;
  #owners = 0;

  /** What all have. */
  get total(): number {
    return this.#total;
  }

  /** Changes what an owner has. */
  add(owner: number, amount: number): void {
    const before = this.#amounts[owner]!;
    const after = before + amount;
    this.#amounts[owner] = after;
    this.#total += amount;
    if (before === 0) this.#owners++;
    if (after === 0) this.#owners--;
  }

  /** What an owner has. */
  of(owner: number): number {
    return this.#amounts[owner]!;
  }

  /** Fair share of each owner. An owner who is alone has it all. */
  get share(): number {
    return this.#owners === 0 ? 0 : this.#total / this.#owners;
  }
}
