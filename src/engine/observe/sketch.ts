import { Memory } from "../memory.ts";

/** Keys of more than 1/128 of the queries are certain. */
export const SKETCH_ENTRIES = 128;
const BUCKETS = 256;
/** Indices are octets. */
const END = 0xff;

/**
 * Most frequent keys in fixed memory (SpaceSaving: Metwally, Agrawal and El Abbadi, 2005). A new
 * key replaces the rarest and inherits its count as a possible error. Hashes must be keyed; at
 * worst all entries are scanned.
 */
export class Sketch {
  readonly memory: Memory;
  readonly #keySize: number;
  readonly #counts: Float64Array;
  readonly #errors: Float64Array;
  readonly #hashes: Int32Array;
  readonly #tags: Int32Array;
  readonly #keys: Uint8Array;
  readonly #lengths: Uint8Array;
  /** Each bucket's first entry, or `END`, and the next of each entry. */
  readonly #first: Uint8Array;
  readonly #next: Uint8Array;
  /** Lowest count, and its search position. */
  #least = 0;
  #cursor = 0;
  /** Last note of each entry, or null. */
  readonly #notes: string[] | null;
  #size = 0;

  constructor(keySize: number, notes = false) {
    const n = SKETCH_ENTRIES;
    this.memory = new Memory(n * (8 + 8 + 4 + 4 + 1 + 1 + keySize) + BUCKETS);
    const { buffer } = this.memory.bytes;
    this.#keySize = keySize;
    this.#counts = new Float64Array(buffer, 0, n);
    this.#errors = new Float64Array(buffer, 8 * n, n);
    this.#hashes = new Int32Array(buffer, 16 * n, n);
    this.#tags = new Int32Array(buffer, 20 * n, n);
    this.#lengths = new Uint8Array(buffer, 24 * n, n);
    this.#next = new Uint8Array(buffer, 25 * n, n);
    this.#keys = new Uint8Array(buffer, 26 * n, n * keySize);
    this.#first = new Uint8Array(buffer, (26 + keySize) * n, BUCKETS).fill(END);
    this.#notes = notes ? new Array<string>(n).fill("") : null;
  }

  get size(): number {
    return this.#size;
  }

  get sizeBytes(): number {
    return this.memory.bytes.length;
  }

  /** Keys with different tags differ. Allocates nothing. */
  add(
    key: Uint8Array,
    at: number,
    length: number,
    hash: number,
    tag: number,
    weight: number,
    note = "",
  ): void {
    const index = this.#place(key, at, length, hash, tag, weight);
    if (this.#notes !== null) this.#notes[index] = note;
  }

  /** Adds a sketch with keys of the same size. */
  merge(from: Sketch): void {
    for (let i = 0; i < from.#size; i++) {
      const count = from.#counts[i]!;
      const length = from.#lengths[i]!;
      const at = i * from.#keySize;
      const index = this.#place(from.#keys, at, length, from.#hashes[i]!, from.#tags[i]!, count);
      this.#errors[index]! += from.#errors[i]!;
      if (this.#notes !== null) this.#notes[index] = from.#notes?.[i] ?? "";
    }
  }

  clear(): void {
    this.#size = 0;
    this.#least = 0;
    this.#first.fill(END);
    this.#notes?.fill("");
  }

  count(index: number): number {
    return this.#counts[index]!;
  }

  error(index: number): number {
    return this.#errors[index]!;
  }

  tag(index: number): number {
    return this.#tags[index]!;
  }

  note(index: number): string {
    return this.#notes?.[index] ?? "";
  }

  /** Copies an entry's key; returns its length. */
  key(index: number, target: Uint8Array): number {
    const length = this.#lengths[index]!;
    const at = index * this.#keySize;
    for (let i = 0; i < length; i++) target[i] = this.#keys[at + i]!;
    return length;
  }

  #place(
    key: Uint8Array,
    at: number,
    length: number,
    hash: number,
    tag: number,
    weight: number,
  ): number {
    const hashes = this.#hashes;
    const bucket = hash & (BUCKETS - 1);
    for (let i = this.#first[bucket]!; i !== END; i = this.#next[i]!) {
      if (hashes[i] === hash && this.#isAt(i, key, at, length, tag)) {
        this.#counts[i]! += weight;
        return i;
      }
    }
    const size = this.#size;
    const index = size < SKETCH_ENTRIES ? this.#size++ : this.#rarest();
    const isNew = index === size;
    if (!isNew) this.#unlink(index);
    const error = isNew ? 0 : this.#counts[index]!;
    this.#counts[index] = error + weight;
    this.#errors[index] = error;
    hashes[index] = hash;
    this.#next[index] = this.#first[bucket]!;
    this.#first[bucket] = index;
    this.#tags[index] = tag;
    this.#lengths[index] = length;
    const to = index * this.#keySize;
    for (let i = 0; i < length; i++) this.#keys[to + i] = key[at + i]!;
    return index;
  }

  #isAt(index: number, key: Uint8Array, at: number, length: number, tag: number): boolean {
    if (this.#tags[index] !== tag || this.#lengths[index] !== length) return false;
    const keys = this.#keys;
    const own = index * this.#keySize;
    for (let i = 0; i < length; i++) if (keys[own + i] !== key[at + i]) return false;
    return true;
  }

  #unlink(index: number): void {
    const next = this.#next;
    const bucket = this.#hashes[index]! & (BUCKETS - 1);
    let at = this.#first[bucket]!;
    if (at === index) {
      this.#first[bucket] = next[index]!;
      return;
    }
    while (next[at] !== index) at = next[at]!;
    next[at] = next[index]!;
  }

  /** A few steps: counts only grow, and many entries have the lowest. */
  #rarest(): number {
    const counts = this.#counts;
    for (let steps = 0; steps < SKETCH_ENTRIES; steps++) {
      const at = this.#cursor;
      this.#cursor = (at + 1) % SKETCH_ENTRIES;
      if (counts[at]! <= this.#least) return at;
    }
    let found = 0;
    for (let i = 1; i < SKETCH_ENTRIES; i++) if (counts[i]! < counts[found]!) found = i;
    this.#least = counts[found]!;
    return found;
  }
}
