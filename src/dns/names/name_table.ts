import { lower } from "./name_reader.ts";

/** The node of the root, which every table has. */
export const ROOT = 0;
/** No such node, or no room for it. */
export const NONE = -1;

/**
 * Labels that are remembered. A pointer reaches 16,384 octets, and a record that brings a label of
 * its own has fourteen at least, so there is room for nearly all of them; what comes after is written
 * without being remembered.
 */
export const MAX_LABELS = 1024;
/** Half of them stay free, so that a search is short. */
const SLOTS = 2 * MAX_LABELS;
/** Slots that a search may look at: more would be labels chosen for their hashes. */
const MAX_PROBES = 16;

const NODE = 0xffff;
const GENERATION_SHIFT = 16;
const LAST_GENERATION = 0xffff;

/**
 * The names that have been written into a message, as a tree: a node is a label and the node of what
 * follows it, so a name is found or added in time that is linear in its length.
 *
 * ```
 *  slot:  | generation 16 | node 16 |      open addressing, by the hash of label and parent
 *  node:  hash, parent, offset of the label in the message, size of the name from there on
 * ```
 *
 * The slots of an earlier message have another generation, so nothing has to be cleared.
 */
export class NameTable {
  /** Octets that were hashed or compared since `clear`. */
  octetsRead = 0;

  readonly #slots = new Int32Array(SLOTS);
  readonly #hashes = new Int32Array(MAX_LABELS + 1);
  readonly #parents = new Uint16Array(MAX_LABELS + 1);
  readonly #offsets = new Uint16Array(MAX_LABELS + 1);
  readonly #sizes = new Uint8Array(MAX_LABELS + 1);
  #bytes: Uint8Array = new Uint8Array(0);
  #count = 0;
  #generation = 0;

  constructor() {
    this.#sizes[ROOT] = 1;
  }

  /** Forgets all names and starts with the message at the beginning of `bytes`. */
  clear(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#count = 0;
    this.octetsRead = 0;
    if (this.#generation === LAST_GENERATION) {
      this.#slots.fill(0);
      this.#generation = 0;
    }
    this.#generation++;
  }

  /** Offset in the message of the name that a node stands for; not for the root. */
  offsetOf(node: number): number {
    return this.#offsets[node]!;
  }

  /** Size of the name that a node stands for, uncompressed. */
  sizeOf(node: number): number {
    return this.#sizes[node]!;
  }

  /** The node of the label at `at` of `bytes`, in front of `parent`, whatever its case; or `NONE`. */
  find(parent: number, bytes: Uint8Array, at: number): number {
    const hash = this.#hash(parent, bytes, at);
    for (let i = 0; i < MAX_PROBES; i++) {
      const word = this.#slots[(hash + i) & (SLOTS - 1)]!;
      if (word >>> GENERATION_SHIFT !== this.#generation) return NONE;
      const node = word & NODE;
      if (
        this.#hashes[node] === hash && this.#parents[node] === parent &&
        this.#isSame(this.#offsets[node]!, bytes, at)
      ) return node;
    }
    return NONE;
  }

  /** Adds the label at `offset` of the message in front of `parent`; its node, or `NONE`. */
  add(parent: number, offset: number): number {
    if (this.#count === MAX_LABELS) return NONE;
    const hash = this.#hash(parent, this.#bytes, offset);
    for (let i = 0; i < MAX_PROBES; i++) {
      const slot = (hash + i) & (SLOTS - 1);
      if (this.#slots[slot]! >>> GENERATION_SHIFT === this.#generation) continue;
      const node = ++this.#count;
      this.#slots[slot] = (this.#generation << GENERATION_SHIFT) | node;
      this.#hashes[node] = hash;
      this.#parents[node] = parent;
      this.#offsets[node] = offset;
      this.#sizes[node] = this.#sizes[parent]! + this.#bytes[offset]! + 1;
      return node;
    }
    return NONE;
  }

  /** FNV-1a over the label, from the node of what follows it. */
  #hash(parent: number, bytes: Uint8Array, at: number): number {
    let hash = Math.imul(0x811c9dc5 ^ parent, 0x01000193);
    const end = at + bytes[at]!;
    this.octetsRead += end - at + 1;
    for (let i = at; i <= end; i++) hash = Math.imul(hash ^ lower(bytes[i]!), 0x01000193);
    // The lowest bits choose the slot.
    return hash ^ (hash >>> 15);
  }

  #isSame(offset: number, bytes: Uint8Array, at: number): boolean {
    const own = this.#bytes;
    const size = own[offset]!;
    if (size !== bytes[at]) return false;
    this.octetsRead += size;
    for (let i = 1; i <= size; i++) {
      if (lower(own[offset + i]!) !== lower(bytes[at + i]!)) return false;
    }
    return true;
  }
}
