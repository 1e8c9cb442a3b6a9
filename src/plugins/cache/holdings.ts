import { Arena } from "./arena.ts";
import type { Store } from "./store.ts";
import type { SubnetRule } from "./subnets.ts";

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

/** Store options. */
export interface StoreOptions {
  /** How long entries stay, to be served stale, once they have expired. */
  graceSeconds?: number;
  /** What client subnets mean. */
  subnets?: SubnetRule;
  /** What it shares memory with. */
  holdings?: Holdings;
}

/**
 * What all stores of one cache hold together: one arena for their messages, and one limit in bytes
 * for the arena and the tables.
 *
 * Where room is short, entries leave the store that takes the most of it; where it is only
 * scattered over chunks, the blocks of the emptiest chunk are moved into others.
 */
export class Holdings {
  readonly arena: Arena;
  readonly limited: boolean;
  #limit: number;
  readonly #stores: Store[] = [];

  /** @param limitBytes - Infinity for no limit */
  constructor(limitBytes = Infinity) {
    this.#limit = limitBytes;
    this.limited = limitBytes !== Infinity;
    this.arena = new Arena(limitBytes < SMALL_LIMIT ? SMALL_CHUNK : CHUNK);
  }

  /** Changes the limit from one number of bytes to another; what is too much goes by and by. */
  resize(limitBytes: number): void {
    this.#limit = limitBytes;
  }

  /** Bytes that arena and tables take. */
  get sizeBytes(): number {
    let size = this.arena.sizeBytes;
    for (let i = 0; i < this.#stores.length; i++) size += this.#stores[i]!.tableBytes;
    return size;
  }

  /** Takes a store in; returns how many entries it may hold of those that it wants to. */
  add(store: Store, capacity: number): number {
    this.#stores.push(store);
    return this.limited ? Math.min(capacity, Math.floor(this.#limit / BYTES_A_ROW)) : capacity;
  }

  /** Whether a message of this size may be kept at all. */
  mayHold(size: number): boolean {
    return size <= this.#limit * MESSAGE_SHARE;
  }

  /**
   * Sees to it that a block of `size` bytes and a row more in `store` keep the limit.
   *
   * @returns false where nothing can be done
   */
  makeRoom(store: Store, size: number, now: number): boolean {
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

  /** Empties one chunk into others of its class; false where none would fit. */
  #compact(): boolean {
    const chunk = this.arena.drainOne();
    if (chunk < 0) return false;
    for (const store of this.#stores) store.moveOutOf(chunk);
    return true;
  }

  #largest(): Store {
    let largest = this.#stores[0]!;
    for (const store of this.#stores) if (store.usedBytes > largest.usedBytes) largest = store;
    return largest;
  }
}
