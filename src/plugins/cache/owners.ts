import { CLIENT_BUCKETS } from "../../engine/exchange.ts";

/**
 * How many entries of a store each client bucket has brought in: what fairness needs to know.
 *
 * An owner's share is the same part of the store for every owner that has entries, so a store that
 * one client uses alone is all his.
 */
export class Owners {
  readonly #counts = new Int32Array(CLIENT_BUCKETS);
  #inUse = 0;
  /** Who holds the most; somebody else who comes to hold more takes over. */
  #heaviest = 0;

  /** Counts an entry in. */
  add(owner: number): void {
    if (this.#counts[owner]!++ === 0) this.#inUse++;
    if (this.#counts[owner]! > this.#counts[this.#heaviest]!) this.#heaviest = owner;
  }

  /** Counts an entry out. */
  remove(owner: number): void {
    if (--this.#counts[owner]! === 0) this.#inUse--;
  }

  /** Entries of an owner. */
  of(owner: number): number {
    return this.#counts[owner]!;
  }

  /** Entries of the owner who holds the most. */
  get most(): number {
    return this.#counts[this.#heaviest]!;
  }

  /** Fair share of each owner in a store of `size` entries. */
  share(size: number): number {
    return this.#inUse === 0 ? size : size / this.#inUse;
  }
}
