import { releaseBuffer } from "../../base/transfer.ts";
import { parseName } from "../../dns/name.ts";
import type { HashKey } from "../../engine/question/keyed_hash.ts";
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
import { Slots } from "./slots.ts";

/** Per entry and kind: more than fit in a message. */
export const MAX_PER_ENTRY = 4096;

const FIRST_SLOTS = 8;
/** Slots double beyond this share. */
const FULL = { taken: 2, of: 3 } as const;

const V4_SUFFIX = parseName("in-addr.arpa");
const V6_SUFFIX = parseName("ip6.arpa");

/** Table options. */
export interface TableOptions {
  zones: readonly string[];
  /** Zones where names above listed ones exist, without records. */
  authoritative: readonly string[];
  autoReverse: boolean;
  /** Secret: block lists could contain colliding names. */
  key: HashKey;
  maxBytes: number;
}

/** Builds a table (`layout.ts`) in file order. */
export class TableBuilder {
  /** The last addition did not fit; nothing more is added. */
  full = false;
  /** Addresses and names beyond `MAX_PER_ENTRY`. */
  leftOut = 0;
  entries = 0;
  #items = 0;
  #wildcards = 0;
  readonly #options: TableOptions;
  readonly #zones: readonly Uint8Array[] | null;
  readonly #authoritative: readonly Uint8Array[];
  readonly #arena: Arena;
  #slotCount = 0;
  /** Slots and tags, separate until the table is finished. */
  #slotWords!: Uint32Array<ArrayBuffer>;
  #slots!: Slots;

  readonly #address = new Uint8Array(16);
  #kind: typeof V4 | typeof V6 = V4;
  /** Shareable item with this address; 0 for none yet. */
  #shared = 0;
  /** By family: block lists repeat one address. */
  readonly #lastShared = [0, 0];
  readonly #reverse = new Uint8Array(80);
  /** 0 for none yet, -1 if the address gets none. */
  #reverseEntry = 0;

  constructor(options: TableOptions) {
    const { zones, authoritative, maxBytes } = options;
    this.#options = options;
    this.#zones = zones.includes(".") ? null : zones.map((zone) => parseName(zone));
    this.#authoritative = authoritative.map((zone) => parseName(zone));
    this.#arena = new Arena(Math.max(maxBytes, HEAD_SIZE));
    this.#arena.take(HEAD_SIZE);
    this.#makeSlots(FIRST_SLOTS);
  }

  get bytes(): number {
    return this.#arena.end + this.#slotCount * SLOT_BYTES;
  }

  address(bytes: Uint8Array, size: 4 | 16): void {
    const kind = size === 4 ? V4 : V6;
    const last = this.#lastShared[kind]!;
    this.#shared = last !== 0 && this.#hasAddress(last, bytes, size) ? last : 0;
    this.#kind = kind;
    for (let i = 0; i < size; i++) this.#address[i] = bytes[i]!;
    this.#reverseEntry = this.#options.autoReverse && hasReverse(bytes, size) ? 0 : -1;
  }

  name(name: Uint8Array, length: number): void {
    if (this.full || this.#zones?.some((zone) => isIn(name, length, zone)) === false) return;
    const entry = this.#entryOf(name, length);
    if (entry === 0) return;
    this.#addAddress(entry);
    this.#addAncestors(name, length);
    if (this.#reverseEntry < 0 || isWildcard(name)) return;
    if (this.#reverseEntry === 0) {
      const length = writeReverseName(this.#address, itemSize(this.#kind), this.#reverse);
      this.#reverseEntry = this.#entryOf(this.#reverse, length);
      this.#addAncestors(this.#reverse, length);
    }
    if (!this.full) this.#append(this.#reverseEntry, NAMES, entry);
  }

  /** Null if too large. Ends the builder. */
  finish(): ArrayBuffer | null {
    const { bytes, words, buffer } = this.#arena;
    const count = this.#slotCount;
    const at = this.full ? 0 : this.#arena.take(count * SLOT_BYTES);
    if (at === 0) {
      this.release();
      return null;
    }
    bytes.set(new Uint8Array(this.#slotWords.buffer), at);
    releaseBuffer(this.#slotWords.buffer);
    const { key } = this.#options;
    words[HEAD.SLOTS] = count;
    words[HEAD.SLOTS_AT] = at >> 2;
    words[HEAD.TAGS_AT] = at + 4 * count;
    words[HEAD.ITEMS] = this.#items;
    words[HEAD.WILDCARDS] = this.#wildcards;
    words[HEAD.KEY_0] = key.k0;
    words[HEAD.KEY_1] = key.k1;
    buffer.resize(this.#arena.end);
    return buffer;
  }

  release(): void {
    releaseBuffer(this.#arena.buffer);
    releaseBuffer(this.#slotWords.buffer);
  }

  #addAncestors(name: Uint8Array, length: number): void {
    if (this.#authoritative.length === 0) return;
    for (let at = name[0]! + 1; at < length && !this.full; at += name[at]! + 1) {
      const ancestor = name.subarray(at, length);
      if (!this.#authoritative.some((zone) => isIn(ancestor, ancestor.length, zone))) return;
      const before = this.entries;
      // Then the names above have entries.
      if (this.#entryOf(ancestor, ancestor.length) === 0 || this.entries === before) return;
    }
  }

  #hasAddress(item: number, address: Uint8Array, size: number): boolean {
    const { bytes } = this.#arena;
    for (let i = 0; i < size; i++) if (bytes[item + 4 + i] !== address[i]) return false;
    return true;
  }

  #entryOf(name: Uint8Array, length: number): number {
    const known = this.#slots.find(name, length);
    if (known !== 0) return known;
    if ((this.entries + 1) * FULL.of > this.#slotCount * FULL.taken && !this.#grow()) return 0;
    const entry = this.#take(ENTRY_HEAD + length);
    if (entry === 0) return 0;
    const { bytes } = this.#arena;
    bytes[entry + 4] = length;
    for (let i = 0; i < length; i++) bytes[entry + ENTRY_HEAD + i] = name[i]!;
    this.#slots.add(entry);
    this.entries++;
    if (isWildcard(name)) this.#wildcards++;
    return entry;
  }

  #grow(): boolean {
    if (this.bytes + this.#slotCount * SLOT_BYTES > this.#options.maxBytes) {
      this.full = true;
      return false;
    }
    const old = this.#slotWords;
    this.#makeSlots(2 * this.#slotCount);
    for (let i = 0; i < old.length; i++) if (old[i] !== 0) this.#slots.add(old[i]!);
    releaseBuffer(old.buffer);
    return true;
  }

  #makeSlots(count: number): void {
    const size = count * SLOT_BYTES;
    const buffer = new ArrayBuffer(size, { maxByteLength: size });
    const tags = new Uint8Array(buffer, 4 * count, count);
    this.#slotCount = count;
    this.#slotWords = new Uint32Array(buffer, 0, count);
    this.#slots = new Slots(this.#arena.bytes, this.#slotWords, tags, this.#options.key);
  }

  #addAddress(entry: number): void {
    const { words } = this.#arena;
    if (words[entry >> 2] !== 0) return this.#append(entry, this.#kind, 0);
    if (this.#shared === 0) {
      this.#shared = this.#lastShared[this.#kind] = this.#makeItem(this.#kind, 0);
    }
    words[entry >> 2] = this.#shared | this.#kind;
    this.#items++;
  }

  /** `named`: the entry with the name, for `NAMES`. */
  #append(entry: number, kind: ItemKind, named: number): void {
    const { words } = this.#arena;
    const reference = words[entry >> 2]!;
    if (reference === 0) {
      words[entry >> 2] = this.#makeItem(kind, named) | kind;
      this.#items++;
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
    this.#items++;
  }

  #setOf(entry: number, reference: number): number {
    const kind = reference & KIND_MASK;
    const target = reference & ~KIND_MASK;
    if (kind === SET) return target;
    const set = this.#take(4 * SET_WORDS.ALL);
    // A shared item must not get a successor.
    const size = itemSize(kind as ItemKind);
    const item = set === 0 ? 0 : this.#take(4 + size);
    if (item === 0) return 0;
    this.#arena.bytes.copyWithin(item + 4, target + 4, target + 4 + size);
    this.#link((set >> 2) + kind * SET_WORDS.EACH, item);
    this.#arena.words[entry >> 2] = set | SET;
    return set;
  }

  #link(at: number, item: number): void {
    const { words } = this.#arena;
    const last = words[at + SET_WORDS.LAST]!;
    if (last === 0) words[at + SET_WORDS.FIRST] = item;
    else words[last >> 2] = item;
    words[at + SET_WORDS.LAST] = item;
    words[at + SET_WORDS.COUNT]!++;
  }

  #makeItem(kind: ItemKind, named: number): number {
    const size = itemSize(kind);
    const item = this.#take(4 + size);
    if (item === 0) return 0;
    if (kind === NAMES) this.#arena.words[(item >> 2) + 1] = named;
    else for (let i = 0; i < size; i++) this.#arena.bytes[item + 4 + i] = this.#address[i]!;
    return item;
  }

  #take(size: number): number {
    const at = this.bytes + size > this.#options.maxBytes ? 0 : this.#arena.take(size);
    if (at === 0) this.full = true;
    return at;
  }
}

function isIn(name: Uint8Array, length: number, zone: Uint8Array): boolean {
  let at = 0;
  while (length - at > zone.length) at += name[at]! + 1;
  if (length - at !== zone.length) return false;
  for (let i = 0; i < zone.length; i++) if (name[at + i] !== zone[i]) return false;
  return true;
}

function hasReverse(address: Uint8Array, size: 4 | 16): boolean {
  if (address[0] === 127 && size === 4) return false;
  for (let i = 0; i < size - 1; i++) if (address[i] !== 0) return true;
  return address[size - 1]! > (size === 4 ? 0 : 1);
}

/** In wire form; returns the length. */
function writeReverseName(address: Uint8Array, size: 4 | 16, to: Uint8Array): number {
  let at = 0;
  const write = (label: string) => {
    to[at++] = label.length;
    for (let i = 0; i < label.length; i++) to[at++] = label.charCodeAt(i);
  };
  for (let i = size - 1; i >= 0; i--) {
    const octet = address[i]!;
    if (size === 4) {
      write(String(octet));
    } else {
      write((octet & 15).toString(16));
      write((octet >> 4).toString(16));
    }
  }
  const suffix = size === 4 ? V4_SUFFIX : V6_SUFFIX;
  to.set(suffix, at);
  return at + suffix.length;
}
