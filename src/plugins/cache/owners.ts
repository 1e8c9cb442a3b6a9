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

  /** Counts an entry in. */
  add(owner: number): void {
    if (this.#counts[owner]!++ === 0) this.#inUse++;
  }

  /** Counts an entry out. */
  remove(owner: number): void {
    if (--this.#counts[owner]! === 0) this.#inUse--;
  }

  /** Entries of an owner. */
  of(owner: number): number {
    return this.#counts[owner]!;
  }

  /** Fair share of each owner in a store of `size` entries. */
  share(size: number): number {
    return this.#inUse === 0 ? size : size / this.#inUse;
  }
}
