import { CLIENT_BUCKETS } from "../../../engine/exchange/exchange.ts";
import * as ROW from "./row.ts";

const SMALL_SHARE = 0.1;
/** Spared candidates that an eviction skips. */
const MAX_SKIPS = 32;
/** A whole share would cost 4 to 9 % of hits without a flood (50 equal clients, Zipf). */
const SPARED = 1 / 2;

/** Exhausted resource of a store. */
export type Shortage = "entries" | "bytes";

/** S3-FIFO (Yang et al., SOSP 2023); owners below half a fair share are spared from floods. */
export class Eviction {
  readonly ghosts: Ghosts;
  readonly entries = new Tally();
  readonly bytes = new Tally();
  readonly #small = new Queue();
  readonly #main = new Queue();
  readonly #pinned = new Queue();

  constructor(capacity: number) {
    this.ghosts = new Ghosts(capacity);
  }

  push(rows: Int32Array, row: number): void {
    this.#queueOf(rows, row).push(rows, row);
  }

  take(rows: Int32Array, row: number): void {
    this.#queueOf(rows, row).take(rows, row);
  }

  /** Rows that may be evicted. */
  get evictable(): number {
    return this.#small.size + this.#main.size;
  }

  get pinned(): number {
    return this.#pinned.size;
  }

  /** From its queue; one must be evictable, `entries` not 0. */
  choose(
    rows: Int32Array,
    now: number,
    { shortage, entries, watch }: {
      shortage: Shortage;
      entries: number;
      watch: { examined(row: number): void } | null;
    },
  ): number {
    const smallLimit = Math.max(1, Math.floor(entries * SMALL_SHARE));
    const owners = this[shortage];
    const spared = SPARED * owners.share;
    let skips = MAX_SKIPS;
    // Each pass returns, or lowers a count of uses or skips.
    for (;;) {
      const fromSmall = this.#main.size === 0 || this.#small.size >= smallLimit ||
        (skips <= 1 && this.#small.size > 0);
      const queue = fromSmall ? this.#small : this.#main;
      const row = queue.oldest;
      watch?.examined(row);
      const state = rows[row + ROW.STATE]!;
      if (ROW.remainingOf(rows, row, now) > 0) {
        const skip = skips > 0 && owners.of(ROW.ownerOf(state)) <= spared;
        const uses = (state & ROW.USES) >> ROW.USES_SHIFT;
        if (skip || (fromSmall ? uses > 1 : uses > 0)) {
          if (skip) skips--;
          queue.take(rows, row);
          if (fromSmall) rows[row + ROW.STATE] = (state & ~ROW.USES) | ROW.IN_MAIN;
          else if (!skip) rows[row + ROW.STATE] = state - (1 << ROW.USES_SHIFT);
          this.#main.push(rows, row);
          continue;
        }
      }
      if (fromSmall) this.ghosts.add(rows[row + ROW.HASH]!);
      return row;
    }
  }

  #queueOf(rows: Int32Array, row: number): Queue {
    if ((rows[row + ROW.LENGTH]! & ROW.PINNED) !== 0) return this.#pinned;
    return (rows[row + ROW.STATE]! & ROW.IN_MAIN) !== 0 ? this.#main : this.#small;
  }
}

class Queue {
  oldest = -1;
  newest = -1;
  size = 0;

  push(rows: Int32Array, row: number): void {
    rows[row + ROW.NEXT] = -1;
    rows[row + ROW.PREVIOUS] = this.newest;
    if (this.newest >= 0) rows[this.newest + ROW.NEXT] = row;
    else this.oldest = row;
    this.newest = row;
    this.size++;
  }

  take(rows: Int32Array, row: number): void {
    const next = rows[row + ROW.NEXT]!;
    const previous = rows[row + ROW.PREVIOUS]!;
    if (next >= 0) rows[next + ROW.PREVIOUS] = previous;
    else this.newest = previous;
    if (previous >= 0) rows[previous + ROW.NEXT] = next;
    else this.oldest = next;
    this.size--;
  }
}

/** Hashes of evicted entries; returning ones enter the main queue. */
class Ghosts {
  readonly #size: number;
  #hashes: Uint32Array | null = null;

  constructor(size: number) {
    this.#size = size;
  }

  get sizeBytes(): number {
    return this.#hashes === null ? 0 : 4 * this.#size;
  }

  /** Allocates early, so that memory does not grow later. */
  reserve(): void {
    this.#hashes ??= new Uint32Array(this.#size);
  }

  add(signed: number): void {
    const hashes = this.#hashes ??= new Uint32Array(this.#size);
    const hash = signed >>> 0;
    hashes[hash % hashes.length] = hash;
  }

  take(signed: number): boolean {
    const hashes = this.#hashes;
    const hash = signed >>> 0;
    if (hashes === null || hash === 0) return false;
    const slot = hash % hashes.length;
    if (hashes[slot] !== hash) return false;
    hashes[slot] = 0;
    return true;
  }
}

class Tally {
  readonly #amounts = new Float64Array(CLIENT_BUCKETS);
  #owners = 0;
  total = 0;

  add(owner: number, amount: number): void {
    const before = this.#amounts[owner]!;
    const after = before + amount;
    this.#amounts[owner] = after;
    this.total += amount;
    if (before === 0) this.#owners++;
    if (after === 0) this.#owners--;
  }

  of(owner: number): number {
    return this.#amounts[owner]!;
  }

  get share(): number {
    return this.#owners === 0 ? 0 : this.total / this.#owners;
  }
}
