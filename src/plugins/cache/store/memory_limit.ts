import { Arena } from "./arena.ts";

/** Smaller limits use small chunks. */
const SMALL_LIMIT = 32 * 2 ** 20;
const SMALL_CHUNK = 16384;
const CHUNK = 65536;
/** Share of free blocks that starts compaction. */
const FREE_SHARE = 1 / 16;
const MESSAGE_SHARE = 1 / 16;
/** Of pinned entries; the others keep the most. */
const PINNED_SHARE = 1 / 4;
/** Tables take at most half. */
const BYTES_A_ROW = 160;

/** A store, as seen by its limit. */
export interface LimitedStore {
  readonly size: number;
  /** Of entries that may be evicted. */
  readonly usedBytes: number;
  readonly pinnedBytes: number;
  readonly tableBytes: number;
  /** Table bytes per entry. */
  readonly rowCost: number;
  evict(now: number, shortage: "bytes"): void;
  moveOutOf(chunk: number): void;
}

/** Limits a shared arena and its stores' tables. */
export class MemoryLimit {
  readonly arena: Arena;
  readonly limited: boolean;
  #limit: number;
  readonly #stores: LimitedStore[] = [];

  constructor(limitBytes = Infinity) {
    this.#limit = limitBytes;
    this.limited = limitBytes !== Infinity;
    this.arena = new Arena(limitBytes < SMALL_LIMIT ? SMALL_CHUNK : CHUNK);
  }

  /** The excess is evicted gradually. */
  resize(limitBytes: number): void {
    this.#limit = limitBytes;
  }

  get limitBytes(): number {
    return this.#limit;
  }

  get sizeBytes(): number {
    let size = this.arena.sizeBytes;
    for (let i = 0; i < this.#stores.length; i++) size += this.#stores[i]!.tableBytes;
    return size;
  }

  add(store: LimitedStore): void {
    this.#stores.push(store);
  }

  capacityFor(wanted: number): number {
    return Math.min(wanted, Math.floor(this.#limit / BYTES_A_ROW));
  }

  allows(size: number): boolean {
    return size <= this.#limit * MESSAGE_SHARE;
  }

  allowsPinned(size: number): boolean {
    let pinned = size;
    for (const store of this.#stores) pinned += store.pinnedBytes;
    return pinned <= this.#limit * PINNED_SHARE;
  }

  makeRoom(store: LimitedStore, size: number, now: number): boolean {
    for (;;) {
      const cost = this.arena.costOf(size) + store.rowCost;
      if (cost === 0 || this.sizeBytes + cost <= this.#limit) return true;
      if (this.arena.dropSpare()) continue;
      if (this.arena.freeBytes > this.#limit * FREE_SHARE && this.#compact()) continue;
      let largest = this.#stores[0]!;
      for (const one of this.#stores) if (one.usedBytes > largest.usedBytes) largest = one;
      if (largest.usedBytes === 0) return false;
      largest.evict(now, "bytes");
    }
  }

  #compact(): boolean {
    const chunk = this.arena.drainOne();
    if (chunk < 0) return false;
    for (const store of this.#stores) store.moveOutOf(chunk);
    return true;
  }
}
