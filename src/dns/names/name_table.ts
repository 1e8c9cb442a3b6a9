import { lower } from "./walk.ts";

/** The root, always present. */
export const ROOT = 0;
/** No node. */
export const NONE = -1;

/** Nearly all: pointers reach 16,384 octets, and a record with new labels takes fourteen. */
const MAX_LABELS = 1024;
const SLOTS = 2 * MAX_LABELS;
/** Only prepared collisions need more. */
const MAX_PROBES = 16;

/**
 * A message's names as a tree; a node is a label and its parent.
 *
 * ```
 *  slot:  node, 0 if free       open addressing, by the hash of label and parent
 *  node:  hash, parent, offset of the label in the message, size of the name from there on
 * ```
 */
export class NameTable {
  octetsRead = 0;

  readonly #slots = new Uint16Array(SLOTS);
  readonly #hashes = new Int32Array(MAX_LABELS + 1);
  readonly #parents = new Uint16Array(MAX_LABELS + 1);
  readonly #offsets = new Uint16Array(MAX_LABELS + 1);
  readonly #sizes = new Uint8Array(MAX_LABELS + 1);
  #bytes: Uint8Array = new Uint8Array(0);
  #count = 0;

  constructor() {
    this.#sizes[ROOT] = 1;
  }

  clear(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.octetsRead = 0;
    if (this.#count > 0) this.#slots.fill(0);
    this.#count = 0;
  }

  offsetOf(node: number): number {
    return this.#offsets[node]!;
  }

  sizeOf(node: number): number {
    return this.#sizes[node]!;
  }

  /** `NONE` if absent. */
  find(parent: number, bytes: Uint8Array, at: number): number {
    const hash = this.#hash(parent, bytes, at);
    for (let i = 0; i < MAX_PROBES; i++) {
      const node = this.#slots[(hash + i) & (SLOTS - 1)]!;
      if (node === 0) return NONE;
      if (
        this.#hashes[node] === hash && this.#parents[node] === parent &&
        this.#isSame(this.#offsets[node]!, bytes, at)
      ) return node;
    }
    return NONE;
  }

  /** Returns the new node, or `NONE`. */
  add(parent: number, offset: number): number {
    if (this.#count === MAX_LABELS) return NONE;
    const hash = this.#hash(parent, this.#bytes, offset);
    for (let i = 0; i < MAX_PROBES; i++) {
      const slot = (hash + i) & (SLOTS - 1);
      if (this.#slots[slot] !== 0) continue;
      const node = ++this.#count;
      this.#slots[slot] = node;
      this.#hashes[node] = hash;
      this.#parents[node] = parent;
      this.#offsets[node] = offset;
      this.#sizes[node] = this.#sizes[parent]! + this.#bytes[offset]! + 1;
      return node;
    }
    return NONE;
  }

  #hash(parent: number, bytes: Uint8Array, at: number): number {
    let hash = Math.imul(0x811c9dc5 ^ parent, 0x01000193);
    const end = at + bytes[at]!;
    this.octetsRead += end - at + 1;
    for (let i = at; i <= end; i++) hash = Math.imul(hash ^ lower(bytes[i]!), 0x01000193);
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
