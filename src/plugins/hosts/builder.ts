import { parseName } from "../../dns/name.ts";
import type { HashKey } from "../../engine/question/keyed_hash.ts";
import { releaseBuffer } from "../../base/transfer.ts";
import { Arena } from "./arena.ts";
import {
  ENTRY_HEAD,
  HEAD,
  HEAD_SIZE,
  isWildcard,
  type ItemKind,
  itemSize,
  KIND_MASK,
  NAMES,
  SET,
  SET_WORDS,
  SLOT_BYTES,
  V4,
  V6,
} from "./layout.ts";
import type { HostsSink } from "./lines.ts";
import { hasReverse, ReverseName } from "./reverse.ts";
import { Slots } from "./slots.ts";

/**
 * Most addresses or names of one entry and kind; what comes after is left out, since no message
 * holds more.
 */
export const MAX_PER_ENTRY = 4096;

/** How a table is made. */
export interface TableOptions {
  /** Zones in which names are taken, normalised. */
  zones: readonly string[];
  /** Also make the entries of reverse lookups. */
  autoReverse: boolean;
  /** Secret, because lists of names may come from somebody who would like them to collide. */
  key: HashKey;
  /** Most bytes of the table. */
  maxBytes: number;
}

/** Builds a table (`layout.ts`) as lines are read. */
export class TableBuilder implements HostsSink {
  /** The table has no room for what was added last; nothing is added any more. */
  full = false;
  /** Addresses and names that their entries had no room for (`MAX_PER_ENTRY`). */
  leftOut = 0;
  /** Addresses and names in the table. */
  items = 0;
  #wildcards = 0;
  readonly #options: TableOptions;
  /** Wire form of the zones; null for all names. */
  readonly #zones: readonly Uint8Array[] | null;
  readonly #arena: Arena;
  readonly #slots: Slots;
  readonly #reverse = new ReverseName();

  /** Address of the line under way. */
  readonly #address = new Uint8Array(16);
  #kind: typeof V4 | typeof V6 = V4;
  /** The line's address as an item that any number of entries share; 0 for none yet. */
  #shared = 0;
  /** The last shared item of each family: block lists name one address again and again. */
  readonly #last = [0, 0];
  /** Entry of the reverse name; 0 for none yet, -1 for an address without one. */
  #reverseEntry = 0;

  constructor(options: TableOptions) {
    const { zones, maxBytes, key } = options;
    this.#options = options;
    this.#zones = zones.includes(".") ? null : zones.map((zone) => parseName(zone));
    this.#arena = new Arena(Math.max(maxBytes, HEAD_SIZE));
    this.#arena.take(HEAD_SIZE);
    this.#slots = new Slots(this.#arena, key);
  }

  /** Names in the table, those of reverse lookups included. */
  get entries(): number {
    return this.#slots.taken;
  }

  /** What the table takes. */
  get bytes(): number {
    return this.#arena.end + this.#slots.bytes;
  }

  address(bytes: Uint8Array, size: 4 | 16): void {
    const kind = size === 4 ? V4 : V6;
    const last = this.#last[kind]!;
    this.#shared = last !== 0 && this.#holds(last, bytes, size) ? last : 0;
    this.#kind = kind;
    for (let i = 0; i < size; i++) this.#address[i] = bytes[i]!;
    this.#reverseEntry = this.#options.autoReverse && hasReverse(bytes, size) ? 0 : -1;
  }

  name(name: Uint8Array, length: number): void {
    if (this.full || !this.#isTaken(name, length)) return;
    const entry = this.#entryOf(name, length);
    if (entry === 0) return;
    this.#addAddress(entry);
    // A wildcard is not a name that an address has.
    if (this.#reverseEntry < 0 || isWildcard(name)) return;
    if (this.#reverseEntry === 0) {
      const reverse = this.#reverse.write(this.#address, itemSize(this.#kind));
      this.#reverseEntry = this.#entryOf(this.#reverse.bytes, reverse);
    }
    if (!this.full) this.#append(this.#reverseEntry, NAMES, entry);
  }

  /** The table; the builder is of no use afterwards. Null if it has no room for all. */
  finish(): ArrayBuffer | null {
    const { bytes, words, buffer } = this.#arena;
    const { count } = this.#slots;
    const at = this.full ? 0 : this.#arena.take(count * SLOT_BYTES);
    if (at === 0) {
      this.release();
      return null;
    }
    const tagsAt = at + 4 * count;
    this.#slots.moveTo(words, at >> 2, bytes, tagsAt);
    words[HEAD.SLOTS] = count;
    words[HEAD.SLOTS_AT] = at >> 2;
    words[HEAD.TAGS_AT] = tagsAt;
    words[HEAD.ITEMS] = this.items;
    words[HEAD.WILDCARDS] = this.#wildcards;
    words[HEAD.KEY_0] = this.#options.key.k0;
    words[HEAD.KEY_1] = this.#options.key.k1;
    this.#arena.trim();
    return buffer;
  }

  /** Gives all memory back. */
  release(): void {
    releaseBuffer(this.#arena.buffer);
    this.#slots.release();
  }

  #isTaken(name: Uint8Array, length: number): boolean {
    return this.#zones === null || this.#zones.some((zone) => isIn(name, length, zone));
  }

  #holds(item: number, address: Uint8Array, size: number): boolean {
    const { bytes } = this.#arena;
    for (let i = 0; i < size; i++) if (bytes[item + 4 + i] !== address[i]) return false;
    return true;
  }

  /** The entry of a name, made if there is none; 0 for no room. */
  #entryOf(name: Uint8Array, length: number): number {
    const slots = this.#slots;
    const hash = slots.hash(name, length);
    const known = slots.find(hash, name, length);
    if (known !== 0) return known;
    if (slots.full) {
      if (this.#arena.end + 2 * slots.bytes > this.#options.maxBytes) return this.#overflow();
      slots.grow();
    }
    const entry = this.#take(ENTRY_HEAD + length);
    if (entry === 0) return 0;
    const { bytes } = this.#arena;
    bytes[entry + 4] = length;
    for (let i = 0; i < length; i++) bytes[entry + ENTRY_HEAD + i] = name[i]!;
    slots.add(hash, entry);
    if (isWildcard(name)) this.#wildcards++;
    return entry;
  }

  #addAddress(entry: number): void {
    const { words } = this.#arena;
    if (words[entry >> 2] !== 0) {
      this.#append(entry, this.#kind, 0);
      return;
    }
    if (this.#shared === 0) this.#shared = this.#last[this.#kind] = this.#makeItem(this.#kind, 0);
    words[entry >> 2] = this.#shared | this.#kind;
    this.items++;
  }

  /**
   * Appends an item of its own to an entry.
   *
   * @param named - the entry that a name stands in, for `NAMES`
   */
  #append(entry: number, kind: ItemKind, named: number): void {
    const { words } = this.#arena;
    const reference = words[entry >> 2]!;
    if (reference === 0) {
      words[entry >> 2] = this.#makeItem(kind, named) | kind;
      this.items++;
      return;
    }
    const set = this.#setOf(entry, reference);
    if (set === 0) return;
    const at = (set >> 2) + kind * SET_WORDS.EACH;
    if (words[at + SET_WORDS.COUNT]! >= MAX_PER_ENTRY) {
      this.leftOut++;
      return;
    }
    const item = this.#makeItem(kind, named);
    if (item === 0) return;
    this.#link(at, item);
    this.items++;
  }

  /** The set of an entry with one item, made if it has none; 0 for no room. */
  #setOf(entry: number, reference: number): number {
    const { words } = this.#arena;
    const kind = reference & KIND_MASK;
    const target = reference & ~KIND_MASK;
    if (kind === SET) return target;
    const set = this.#take(4 * SET_WORDS.ALL);
    // Others may share the only item, which must get no successor.
    const size = itemSize(kind as ItemKind);
    const item = set === 0 ? 0 : this.#take(4 + size);
    if (item === 0) return 0;
    this.#arena.bytes.copyWithin(item + 4, target + 4, target + 4 + size);
    this.#link((set >> 2) + kind * SET_WORDS.EACH, item);
    words[entry >> 2] = set | SET;
    return set;
  }

  /** @param at - of the kind in its set, in words */
  #link(at: number, item: number): void {
    const { words } = this.#arena;
    const last = words[at + SET_WORDS.LAST]!;
    if (last === 0) words[at + SET_WORDS.FIRST] = item;
    else words[last >> 2] = item;
    words[at + SET_WORDS.LAST] = item;
    words[at + SET_WORDS.COUNT]!++;
  }

  /** An item of the line's address, or of the name of an entry; 0 for no room. */
  #makeItem(kind: ItemKind, named: number): number {
    const size = itemSize(kind);
    const item = this.#take(4 + size);
    if (item === 0) return 0;
    if (kind === NAMES) this.#arena.words[(item >> 2) + 1] = named;
    else for (let i = 0; i < size; i++) this.#arena.bytes[item + 4 + i] = this.#address[i]!;
    return item;
  }

  #take(size: number): number {
    const at = this.#arena.end + size + this.#slots.bytes > this.#options.maxBytes
      ? 0
      : this.#arena.take(size);
    return at === 0 ? this.#overflow() : at;
  }

  #overflow(): 0 {
    this.full = true;
    return 0;
  }
}

function isIn(name: Uint8Array, length: number, zone: Uint8Array): boolean {
  let at = 0;
  while (length - at > zone.length) at += name[at]! + 1;
  if (length - at !== zone.length) return false;
  for (let i = 0; i < zone.length; i++) if (name[at + i] !== zone[i]) return false;
  return true;
}
