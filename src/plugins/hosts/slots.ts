import { type HashKey, hashOctets } from "../../engine/question/keyed_hash.ts";
import { ENTRY_HEAD } from "./layout.ts";

/** Entries by name: open addressing with linear probing. */
export class Slots {
  readonly #entries: Uint8Array;
  readonly #words: Uint32Array;
  readonly #tags: Uint8Array;
  readonly #key: HashKey;
  readonly #mask: number;

  constructor(entries: Uint8Array, words: Uint32Array, tags: Uint8Array, key: HashKey) {
    this.#entries = entries;
    this.#words = words;
    this.#tags = tags;
    this.#key = key;
    this.#mask = words.length - 1;
  }

  /** Entry of a lower-case wire-form name of `length` octets; 0 for none. */
  find(name: Uint8Array, length: number): number {
    const entries = this.#entries;
    const tags = this.#tags;
    const mask = this.#mask;
    const hash = hashOctets(this.#key, name, 0, length);
    const tag = tagOf(hash);
    let slot = hash & mask;
    // Undefined once a retired table loses its tags.
    for (let seen = tags[slot]; seen; seen = tags[slot]) {
      if (seen === tag) {
        const at = this.#words[slot]!;
        if (entries[at + 4] === length) {
          let i = 0;
          while (i < length && entries[at + ENTRY_HEAD + i] === name[i]) i++;
          if (i === length) return at;
        }
      }
      slot = (slot + 1) & mask;
    }
    return 0;
  }

  add(entry: number): void {
    const length = this.#entries[entry + 4]!;
    const hash = hashOctets(this.#key, this.#entries, entry + ENTRY_HEAD, length);
    let slot = hash & this.#mask;
    while (this.#tags[slot] !== 0) slot = (slot + 1) & this.#mask;
    this.#tags[slot] = tagOf(hash);
    this.#words[slot] = entry;
  }
}

/** The high bits; the low ones choose the slot. */
function tagOf(hash: number): number {
  return (hash >>> 24) || 1;
}
