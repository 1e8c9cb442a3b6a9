import { HashKey } from "../../engine/question/keyed_hash.ts";
import { ENTRY_HEAD, HEAD, type ItemKind, KIND_MASK, SET, SET_WORDS } from "./layout.ts";
import { Slots } from "./slots.ts";

/** A table (`layout.ts`), searched without allocating. */
export class HostsLookup {
  readonly table: ArrayBuffer;
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #slots: Slots;
  readonly items: number;
  readonly hasWildcards: boolean;

  constructor(table: ArrayBuffer) {
    this.table = table;
    this.#bytes = new Uint8Array(table);
    const words = this.#words = new Uint32Array(table);
    const count = words[HEAD.SLOTS]!;
    this.#slots = new Slots(
      this.#bytes,
      new Uint32Array(table, 4 * words[HEAD.SLOTS_AT]!, count),
      new Uint8Array(table, words[HEAD.TAGS_AT], count),
      new HashKey(words[HEAD.KEY_0]!, words[HEAD.KEY_1]!),
    );
    this.items = words[HEAD.ITEMS]!;
    this.hasWildcards = words[HEAD.WILDCARDS]! > 0;
  }

  /** Of a lower-case wire-form name; 0 for none. */
  find(name: Uint8Array, length: number): number {
    return this.#slots.find(name, length);
  }

  /** 0 for none. */
  first(entry: number, kind: ItemKind): number {
    if (entry === 0) return 0;
    const reference = this.#words[entry >> 2]!;
    const target = reference & ~KIND_MASK;
    const has = reference & KIND_MASK;
    if (has !== SET) return has === kind ? target : 0;
    return this.#words[(target >> 2) + kind * SET_WORDS.EACH + SET_WORDS.FIRST]!;
  }

  next(item: number): number {
    return this.#words[item >> 2]!;
  }

  copyAddress(item: number, size: number, to: Uint8Array): void {
    for (let i = 0; i < size; i++) to[i] = this.#bytes[item + 4 + i]!;
  }

  copyName(item: number, to: Uint8Array): number {
    const entry = this.#words[(item >> 2) + 1]!;
    const length = this.#bytes[entry + 4]!;
    for (let i = 0; i < length; i++) to[i] = this.#bytes[entry + ENTRY_HEAD + i]!;
    return length;
  }
}
