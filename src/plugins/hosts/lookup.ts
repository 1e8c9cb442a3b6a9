import { HashKey, hashOctets } from "../../engine/question/keyed_hash.ts";
import { ENTRY_HEAD, HEAD, type ItemKind, KIND_MASK, SET, SET_WORDS, tagOf } from "./layout.ts";

/** A finished table (`layout.ts`), searched in place without allocating. */
export class HostsLookup {
  readonly table: ArrayBuffer;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #words: Uint32Array<ArrayBuffer>;
  readonly #mask: number;
  readonly #slotsAt: number;
  readonly #tagsAt: number;
  readonly #key: HashKey;
  /** Addresses and names in the table. */
  readonly items: number;
  /** Whether any name begins with `*`. */
  readonly hasWildcards: boolean;

  constructor(table: ArrayBuffer) {
    this.table = table;
    this.bytes = new Uint8Array(table);
    const words = this.#words = new Uint32Array(table);
    this.#mask = words[HEAD.SLOTS]! - 1;
    this.#slotsAt = words[HEAD.SLOTS_AT]!;
    this.#tagsAt = words[HEAD.TAGS_AT]!;
    this.#key = new HashKey(words[HEAD.KEY_0]!, words[HEAD.KEY_1]!);
    this.items = words[HEAD.ITEMS]!;
    this.hasWildcards = words[HEAD.WILDCARDS]! > 0;
  }

  /** The entry of the lower-case wire-form name in the first `length` bytes; 0 for none. */
  find(name: Uint8Array, length: number): number {
    const { bytes } = this;
    const mask = this.#mask;
    const tagsAt = this.#tagsAt;
    const hash = hashOctets(this.#key, name, 0, length);
    const tag = tagOf(hash);
    let slot = hash & mask;
    // A retired table loses its tags first.
    for (let seen = bytes[tagsAt + slot]; seen; seen = bytes[tagsAt + slot]) {
      if (seen === tag) {
        const at = this.#words[this.#slotsAt + slot]!;
        if (bytes[at + 4] === length) {
          let i = 0;
          while (i < length && bytes[at + ENTRY_HEAD + i] === name[i]) i++;
          if (i === length) return at;
        }
      }
      slot = (slot + 1) & mask;
    }
    return 0;
  }

  /** The first item of a kind that an entry has; 0 for none, and for no entry. */
  first(entry: number, kind: ItemKind): number {
    if (entry === 0) return 0;
    const reference = this.#words[entry >> 2]!;
    const target = reference & ~KIND_MASK;
    const has = reference & KIND_MASK;
    if (has !== SET) return has === kind ? target : 0;
    return this.#words[(target >> 2) + kind * SET_WORDS.EACH + SET_WORDS.FIRST]!;
  }

  /** The item after an item; 0 for none. */
  next(item: number): number {
    return this.#words[item >> 2]!;
  }

  /** Copies an item's address of `size` bytes. */
  copyAddress(item: number, size: number, to: Uint8Array): void {
    for (let i = 0; i < size; i++) to[i] = this.bytes[item + 4 + i]!;
  }

  /** Copies the name of an item of a reverse lookup; returns its length. */
  copyName(item: number, to: Uint8Array): number {
    const entry = this.#words[(item >> 2) + 1]!;
    const length = this.bytes[entry + 4]!;
    for (let i = 0; i < length; i++) to[i] = this.bytes[entry + ENTRY_HEAD + i]!;
    return length;
  }
}
