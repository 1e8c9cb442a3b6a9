import { ADDRESS, CHAIN, HASH, LENGTH, PINNED, STRIDE } from "./row.ts";

const FIRST_BUCKETS = 64;
const MAX_BUCKET = 24;
/** Subnets per question (unbound's default of `max-ecs-tree-size-ipv4`). */
const MAX_SUBNETS = 100;

/** Hash table of rows, chained through the rows. */
export class RowIndex {
  readonly #subnets: boolean;
  #buckets = new Int32Array(FIRST_BUCKETS).fill(-1);

  constructor(subnets: boolean) {
    this.#subnets = subnets;
  }

  get length(): number {
    return this.#buckets.length;
  }

  get sizeBytes(): number {
    return this.#buckets.byteLength;
  }

  /** Or -1; others follow by `CHAIN`. */
  first(hash: number): number {
    return this.#buckets[hash & (this.#buckets.length - 1)]!;
  }

  add(rows: Int32Array, row: number): void {
    const bucket = rows[row + HASH]! & (this.#buckets.length - 1);
    rows[row + CHAIN] = this.#buckets[bucket]!;
    this.#buckets[bucket] = row;
  }

  remove(rows: Int32Array, row: number): void {
    const bucket = rows[row + HASH]! & (this.#buckets.length - 1);
    let at = this.#buckets[bucket]!;
    if (at === row) {
      this.#buckets[bucket] = rows[row + CHAIN]!;
      return;
    }
    while (rows[at + CHAIN] !== row) at = rows[at + CHAIN]!;
    rows[at + CHAIN] = rows[row + CHAIN]!;
  }

  /** To bound lookups; or -1. */
  surplus(rows: Int32Array, hash: number): number {
    let last = -1;
    let count = 0;
    let same = -1;
    let sameCount = 0;
    for (let row = this.first(hash); row >= 0; row = rows[row + CHAIN]!) {
      const pinned = (rows[row + LENGTH]! & PINNED) !== 0;
      if (!pinned) last = row;
      count++;
      if (rows[row + HASH] !== hash) continue;
      if (!pinned) same = row;
      sameCount++;
    }
    if (this.#subnets && sameCount > 0) return sameCount >= MAX_SUBNETS ? same : -1;
    return count >= MAX_BUCKET ? last : -1;
  }

  grow(rows: Int32Array, rowCount: number): void {
    this.#buckets = new Int32Array(this.#buckets.length * 2).fill(-1);
    for (let row = 0; row < rowCount * STRIDE; row += STRIDE) {
      if (rows[row + ADDRESS] !== -1) this.add(rows, row);
    }
  }
}
