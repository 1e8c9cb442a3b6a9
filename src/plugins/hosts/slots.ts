import { type HashKey, hashOctets } from "../../engine/question/keyed_hash.ts";
import { releaseBuffer } from "../../base/transfer.ts";
import { Arena } from "./arena.ts";
import { ENTRY_HEAD, SLOT_BYTES, tagOf } from "./layout.ts";

const FIRST_SLOTS = 8;
/** Slots are doubled when more than two of three are taken. */
const FULL = { taken: 2, of: 3 } as const;

/** The slots of a table that is being built. They lie apart from its arena until it is finished. */
export class Slots {
  /** Entries in the slots. */
  taken = 0;
  readonly #arena: Arena;
  readonly #key: HashKey;
  readonly #scratch = new Uint8Array(256);
  #count = 0;
  #words: Uint32Array<ArrayBuffer>;
  #tags: Uint8Array<ArrayBuffer>;

  constructor(arena: Arena, key: HashKey) {
    this.#arena = arena;
    this.#key = key;
    [this.#words, this.#tags] = this.#make(FIRST_SLOTS);
  }

  /** Slots, a power of two. */
  get count(): number {
    return this.#count;
  }

  /** What they take in the finished table. */
  get bytes(): number {
    return this.#count * SLOT_BYTES;
  }

  /** Whether one more entry needs twice as many slots. */
  get full(): boolean {
    return (this.taken + 1) * FULL.of > this.#count * FULL.taken;
  }

  /** Doubles the slots. */
  grow(): void {
    const old = this.#words;
    [this.#words, this.#tags] = this.#make(2 * this.#count);
    const { bytes } = this.#arena;
    for (let i = 0; i < old.length; i++) {
      const at = old[i]!;
      if (at === 0) continue;
      const length = bytes[at + 4]!;
      for (let k = 0; k < length; k++) this.#scratch[k] = bytes[at + ENTRY_HEAD + k]!;
      this.#put(this.hash(this.#scratch, length), at);
    }
    releaseBuffer(old.buffer);
  }

  /** Hash of a name, as `find` and `add` take it. */
  hash(name: Uint8Array, length: number): number {
    return hashOctets(this.#key, name, 0, length);
  }

  /** The entry of a name; 0 for none. */
  find(hash: number, name: Uint8Array, length: number): number {
    const mask = this.#count - 1;
    const tag = tagOf(hash);
    const { bytes } = this.#arena;
    for (let slot = hash & mask; this.#tags[slot] !== 0; slot = (slot + 1) & mask) {
      if (this.#tags[slot] !== tag) continue;
      const at = this.#words[slot]!;
      if (bytes[at + 4] !== length) continue;
      let i = 0;
      while (i < length && bytes[at + ENTRY_HEAD + i] === name[i]) i++;
      if (i === length) return at;
    }
    return 0;
  }

  /** Adds an entry whose name is in no slot yet. */
  add(hash: number, entry: number): void {
    this.#put(hash, entry);
    this.taken++;
  }

  /** Writes the slots and their tags to where they are to lie, and gives their memory back. */
  moveTo(words: Uint32Array, wordsAt: number, tags: Uint8Array, tagsAt: number): void {
    words.set(this.#words, wordsAt);
    tags.set(this.#tags, tagsAt);
    this.release();
  }

  /** Gives their memory back. */
  release(): void {
    releaseBuffer(this.#words.buffer);
  }

  #put(hash: number, entry: number): void {
    const mask = this.#count - 1;
    let slot = hash & mask;
    while (this.#tags[slot] !== 0) slot = (slot + 1) & mask;
    this.#tags[slot] = tagOf(hash);
    this.#words[slot] = entry;
  }

  #make(count: number): [Uint32Array<ArrayBuffer>, Uint8Array<ArrayBuffer>] {
    this.#count = count;
    // Resizable for its memory's sake (`Arena`); it stays as it is.
    const size = count * SLOT_BYTES;
    const buffer = new ArrayBuffer(size, { maxByteLength: size });
    return [new Uint32Array(buffer, 0, count), new Uint8Array(buffer, 4 * count, count)];
  }
}
