import { Ghosts } from "./ghosts.ts";
import { Owners, type Shortage } from "./owners.ts";
import { Queue } from "./queue.ts";
import { HASH, IN_MAIN, ownerOf, remainingOf, STATE, USES, USES_SHIFT } from "./row.ts";

/** Share of the capacity that new entries may take before they have proved themselves. */
const SMALL_SHARE = 0.1;
/** Spared entries that an eviction passes over before it takes whatever comes. */
const MAX_SKIPS = 32;
/**
 * Part of a fair share up to which an owner's entries are spared, from two owners on. A whole share
 * would spare half of all owners at any time, also where nobody floods: that costs 4 to 9 of 100
 * hits (50 equal clients, Zipf traffic), this none.
 */
const SPARED = 1 / 2;

/**
 * The order in which a store's entries are evicted: S3-FIFO (Yang et al., SOSP 2023), which
 * `bench/eviction.ts` chose. New entries pass through a small queue, and only those asked for again
 * reach the main one, so a scan of names never to be seen again pushes out nothing of use.
 *
 * Entries of owners with less than half a fair share are passed over, so whoever fills the store
 * pushes out his own entries first.
 */
export class Eviction {
  /** Hashes of entries that went before they were asked for again, or expired after they were. */
  readonly ghosts: Ghosts;
  readonly owners = new Owners();
  readonly #small = new Queue();
  readonly #main = new Queue();

  /** @param capacity - most entries of the store */
  constructor(capacity: number) {
    this.ghosts = new Ghosts(capacity);
  }

  /** Appends a row to the queue that its state names. */
  push(rows: Int32Array, row: number): void {
    this.#queueOf(rows, row).push(rows, row);
  }

  /** Takes a row out of its queue. */
  take(rows: Int32Array, row: number): void {
    this.#queueOf(rows, row).take(rows, row);
  }

  /**
   * Chooses the row that goes next, of what there is a shortage of; there must be one. It stays in
   * its queue.
   *
   * @param entries - how many entries the store has, or may have if those are fewer
   */
  choose(rows: Int32Array, now: number, shortage: Shortage, entries: number): number {
    const smallLimit = Math.max(1, Math.floor(entries * SMALL_SHARE));
    const owners = this.owners[shortage];
    const spared = SPARED * owners.share;
    let skips = MAX_SKIPS;
    // Each pass finds the row, lowers a count of uses or of skips, so this ends.
    for (;;) {
      const fromSmall = this.#main.size === 0 || this.#small.size >= smallLimit ||
        (skips <= 1 && this.#small.size > 0);
      const queue = fromSmall ? this.#small : this.#main;
      const row = queue.oldest;
      const state = rows[row + STATE]!;
      if (remainingOf(rows, row, now) > 0) {
        const skip = skips > 0 && owners.of(ownerOf(state)) <= spared;
        const uses = (state & USES) >> USES_SHIFT;
        if (skip || (fromSmall ? uses > 1 : uses > 0)) {
          if (skip) skips--;
          queue.take(rows, row);
          if (fromSmall) rows[row + STATE] = (state & ~USES) | IN_MAIN;
          else if (!skip) rows[row + STATE] = state - (1 << USES_SHIFT);
          this.#main.push(rows, row);
          continue;
        }
      }
      if (fromSmall) this.ghosts.add(rows[row + HASH]!);
      return row;
    }
  }

  #queueOf(rows: Int32Array, row: number): Queue {
    return (rows[row + STATE]! & IN_MAIN) !== 0 ? this.#main : this.#small;
  }
}
