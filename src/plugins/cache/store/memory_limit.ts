import { Arena } from "./arena.ts";

/** Below this limit the arena's chunks are small, so that its size classes lose less of it. */
const SMALL_LIMIT = 32 * 2 ** 20;
const SMALL_CHUNK = 16384;
const CHUNK = 65536;
/** Free blocks may take this share of the limit before entries are moved together. */
const LOOSE_SHARE = 1 / 16;
/** A message may take this share of the limit; more is not worth what would have to go for it. */
const MESSAGE_SHARE = 1 / 16;
/** Bytes of the limit for which a store's tables may have one row: all of them take half at most. */
const BYTES_A_ROW = 160;

/** What the limit needs of a store. */
export interface LimitedStore {
  /** Bytes that its entries take. */
  readonly usedBytes: number;
  /** Bytes that its tables take beside the messages. */
  readonly tableBytes: number;
  /** Bytes by which the tables would grow with one more entry. */
  readonly rowCost: number;
  /** Entries, expired ones that nobody has come across yet included. */
  readonly size: number;
  /** Evicts one entry, of which there must be one. */
  evict(now: number, shortage: "bytes"): void;
  /** Moves what lies in a chunk of the arena into other chunks. */
  moveOutOf(chunk: number): void;
}

/**
 * The memory that the stores of one cache share: one arena for their messages, and one limit in bytes
 * for the arena and the tables.
 *
 * If memory is short, entries of the store that takes the most of it are evicted; if free blocks are
 * only scattered over chunks, the blocks of the emptiest chunk are moved into others.
 */
export class MemoryLimit {
  readonly arena: Arena;
  readonly limited: boolean;
  #limit: number;
  readonly #stores: LimitedStore[] = [];

  /** @param limitBytes - Infinity for no limit */
  constructor(limitBytes = Infinity) {
    this.#limit = limitBytes;
    this.limited = limitBytes !== Infinity;
    this.arena = new Arena(limitBytes < SMALL_LIMIT ? SMALL_CHUNK : CHUNK);
  }

  /** Changes the limit; the excess is evicted gradually. */
  resize(limitBytes: number): void {
    this.#limit = limitBytes;
  }

  /** Bytes that arena and tables take. */
  get sizeBytes(): number {
    let size = this.arena.sizeBytes;
    for (let i = 0; i < this.#stores.length; i++) size += this.#stores[i]!.tableBytes;
    return size;
  }

  /** Adds a store that wants room for `capacity` entries; returns for how many it has. */
  add(store: LimitedStore, capacity: number): number {
    this.#stores.push(store);
    return this.limited ? Math.min(capacity, Math.floor(this.#limit / BYTES_A_ROW)) : capacity;
  }

  /** Whether a message of this size may be stored at all. */
  allows(size: number): boolean {
    return size <= this.#limit * MESSAGE_SHARE;
  }

  /**
   * Makes room for a block of `size` bytes and one more row in `store`.
   *
   * @returns false if that cannot be done
   */
  makeRoom(store: LimitedStore, size: number, now: number): boolean {
    for (;;) {
      const cost = this.arena.costOf(size) + store.rowCost;
      if (cost === 0 || this.sizeBytes + cost <= this.#limit) return true;
      if (this.arena.dropSpare()) continue;
      if (this.arena.freeBytes > this.#limit * LOOSE_SHARE && this.#compact()) continue;
      const largest = this.#largest();
      if (largest.size === 0) return false;
      largest.evict(now, "bytes");
    }
  }

  /** Empties one chunk into others of its class; false if its blocks fit nowhere. */
  #compact(): boolean {
    const chunk = this.arena.drainOne();
    if (chunk < 0) return false;
    for (const store of this.#stores) store.moveOutOf(chunk);
    return true;
  }

  #largest(): LimitedStore {
    let largest = this.#stores[0]!;
    for (const store of this.#stores) if (store.usedBytes > largest.usedBytes) largest = store;
    return largest;
  }
}
