import { HEADER_SIZE, MAX_NAME_SIZE } from "../constants.ts";
import {
  isSameName,
  lower,
  pointerAt,
  type ReadCount,
  resolveName,
  skipPlainName,
} from "./walk.ts";

/** 255 octets hold 127 labels (RFC 1035 section 2.3.4). */
export const MAX_POINTERS = 126;

/** Per message octet. Honest servers stay below two (`tests/dns/scan_cost_test.ts`). */
export const READS_PER_OCTET = 4;
/** More octets: 32 aliases have 65 names of 255. */
export const FREE_READS = 16_640;

/** Pointers' reach (RFC 1035 section 4.1.4). */
export const REACH = 0x4000;

const SIZE = 0xff;
const POINTERS_SHIFT = 8;
const POINTERS = 0x7f;
const SPAN_SHIFT = 15;

/**
 * Reads a message's names in linear time.
 *
 * A name consists of chunks: labels up to the root or a pointer to the next chunk. Each must end
 * before its referrer (no loops), and not cover octets that change: the header, fixed fields (TTL),
 * half a label of the question (case).
 *
 * A memo of labels reached by pointers:
 *
 * ```
 *  memo word:  | octets to the end of its chunk, less one 8 | pointers 7 | size 8 |  0: unknown
 * ```
 */
export class NameReader implements ReadCount {
  octetsRead = 0;
  records = 0;

  readonly #ttls: Uint16Array;
  /** Read only. */
  bytes: Uint8Array = new Uint8Array(0);
  #start = 0;
  #end = 0;
  #recordsAt = 0;
  #maxReads = 0;
  #memo: Int32Array | null = null;
  /** End of the next chunk, or 0. */
  #nextEnd: Uint16Array = new Uint16Array(0);
  #path: Uint16Array = new Uint16Array(0);
  #primed = false;

  /** @param ttls - offsets of TTLs */
  constructor(ttls: Uint16Array = new Uint16Array(0)) {
    this.#ttls = ttls;
  }

  /** The qname's end, or -1. */
  begin(bytes: Uint8Array, start: number, length: number): number {
    this.bytes = bytes;
    this.#start = start;
    this.#end = start + length;
    this.#maxReads = READS_PER_OCTET * length + FREE_READS;
    this.octetsRead = 0;
    this.records = 0;
    this.#primed = false;
    if (this.#end > bytes.length) return -1;
    const nameEnd = skipPlainName(bytes, start + HEADER_SIZE, this.#end);
    this.#recordsAt = nameEnd + 4 - start;
    return nameEnd;
  }

  get exhausted(): boolean {
    return this.octetsRead > this.#maxReads;
  }

  /** RFC 1035 section 4.1.4. Returns the end, or -1. */
  skip(at: number): number {
    const bytes = this.bytes;
    const end = this.#end;
    // Most owners point to the question.
    if (at + 1 < end && bytes[at] === 0xc0 && bytes[at + 1] === HEADER_SIZE) return at + 2;
    let size = 0;
    let label = at;
    for (;;) {
      if (label >= end) return -1;
      this.octetsRead++;
      const octet = bytes[label]!;
      if (octet === 0) return size < MAX_NAME_SIZE ? label + 1 : -1;
      if (octet >= 0xc0) break;
      if (octet > 63) return -1;
      size += octet + 1;
      if (size >= MAX_NAME_SIZE) return -1;
      label += octet + 1;
    }
    if (label + 1 >= end || this.exhausted) return -1;
    const rest = this.#readChunks(pointerAt(bytes, label), at - this.#start);
    if (rest === 0 || size + (rest & SIZE) > MAX_NAME_SIZE) return -1;
    return ((rest >>> POINTERS_SHIFT) & POINTERS) < MAX_POINTERS ? label + 2 : -1;
  }

  /** After `skip`. Ignores case. */
  isSame(a: number, b: number): boolean {
    return isSameName(this.bytes, this.#start, a, b, this);
  }

  /** FNV-1a, ignoring case. */
  hash(at: number): number {
    const bytes = this.bytes;
    let hash = 0x811c9dc5 | 0;
    for (let label = at;;) {
      label = resolveName(bytes, this.#start, label, this);
      const size = bytes[label]!;
      this.octetsRead += size + 1;
      if (size === 0) return hash;
      for (const end = label + size; label <= end; label++) {
        hash = Math.imul(hash ^ lower(bytes[label]!), 0x01000193);
      }
    }
  }

  /** Before `limit`. Returns a memo word, or 0 if malformed. */
  #readChunks(target: number, limit: number): number {
    if (!this.#primed) this.#prime();
    const bytes = this.bytes;
    const start = this.#start;
    const memo = this.#memo!;
    const path = this.#path;
    let chunk = target;
    let at = target;
    let depth = 0;
    let size = 0;
    let pointers = 0;
    let end = 0;
    let nextEnd = 0;
    for (;;) {
      const known = memo[at]!;
      if (known !== 0) {
        size += known & SIZE;
        pointers += (known >>> POINTERS_SHIFT) & POINTERS;
        end = at + (known >>> SPAN_SHIFT) + 1;
        nextEnd = this.#nextEnd[at]!;
        if (end > limit || nextEnd > chunk) return 0;
        break;
      }
      // Question labels are in the memo.
      if (at < this.#recordsAt || at >= limit) return 0;
      this.octetsRead++;
      const octet = bytes[start + at]!;
      path[depth++] = at;
      if (octet === 0) {
        size++;
        end = at + 1;
        break;
      }
      if (octet >= 0xc0) {
        if (at + 2 > limit || this.#coversFields(chunk, at + 2)) return 0;
        if (++pointers > MAX_POINTERS) return 0;
        limit = chunk;
        chunk = at = pointerAt(bytes, start + at);
        continue;
      }
      size += octet + 1;
      if (octet > 63 || size >= MAX_NAME_SIZE) return 0;
      at += octet + 1;
    }
    if (size > MAX_NAME_SIZE || pointers > MAX_POINTERS || this.#coversFields(chunk, end)) return 0;
    return this.#remember(at, depth, end, nextEnd);
  }

  /**
   * Writes `#path` into the memo; returns its first label's word.
   * @param last - offset of the root, or of a label in the memo
   */
  #remember(last: number, depth: number, end: number, nextEnd: number): number {
    const bytes = this.bytes;
    const start = this.#start;
    const memo = this.#memo!;
    const path = this.#path;
    let word = memo[last]!;
    let size = word & SIZE;
    let pointers = (word >>> POINTERS_SHIFT) & POINTERS;
    let chunkEnd = end;
    let following = nextEnd;
    for (let i = depth - 1; i >= 0; i--) {
      const at = path[i]!;
      const octet = bytes[start + at]!;
      if (octet < 0xc0) {
        size += octet + 1;
      } else {
        pointers++;
        following = chunkEnd;
        chunkEnd = at + 2;
      }
      word = ((chunkEnd - at - 1) << SPAN_SHIFT) | (pointers << POINTERS_SHIFT) | size;
      memo[at] = word;
      this.#nextEnd[at] = following;
    }
    return word;
  }

  #prime(): void {
    this.#primed = true;
    if (this.#memo === null) {
      // A chunk may end a name's length beyond reach.
      this.#memo = new Int32Array(REACH + MAX_NAME_SIZE + 1);
      this.#nextEnd = new Uint16Array(REACH + MAX_NAME_SIZE + 1);
      this.#path = new Uint16Array(MAX_NAME_SIZE + MAX_POINTERS);
    }
    this.#memo.fill(0, 0, this.#end - this.#start);
    const end = this.#recordsAt - 4;
    for (let at = HEADER_SIZE; at < end; at += this.bytes[this.#start + at]! + 1) {
      this.octetsRead++;
      this.#memo[at] = ((end - at - 1) << SPAN_SHIFT) | (end - at);
      this.#nextEnd[at] = 0;
    }
  }

  #coversFields(from: number, to: number): boolean {
    const ttls = this.#ttls;
    let low = 0;
    let high = this.records;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ttls[middle]! + 6 > from) high = middle;
      else low = middle + 1;
    }
    return low < this.records && ttls[low]! - 4 < to;
  }
}
