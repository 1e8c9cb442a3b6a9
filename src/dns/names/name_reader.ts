import { HEADER_SIZE, MAX_NAME_SIZE } from "../constants.ts";

/**
 * Most compression pointers in one name: a name of 255 octets has at most 127 labels (RFC 1035
 * section 2.3.4), and a pointer is needed only between two of them.
 */
export const MAX_POINTERS = 126;

/**
 * Octets that may be read for names, for each octet of the message. Each is read once where it lies
 * and once as the target of pointers; comparing owners comes on top. What an honest server sends
 * stays below two (`tests/dns/scan_cost_test.ts`).
 */
export const READS_PER_OCTET = 4;
/** Octets that may be read besides: a chain of 32 aliases has 65 names of up to 255 octets. */
export const FREE_READS = 16_640;

/** Octets that a pointer can reach (RFC 1035 section 4.1.4: its offset has fourteen bits). */
export const REACH = 0x4000;

/** Bits of a word of the memo; the generation fills the nine above. */
const SIZE = 0xff;
const POINTERS_SHIFT = 8;
const POINTERS = 0x7f;
const SPAN_SHIFT = 15;
const SPAN = 0xff;
const GENERATION_SHIFT = 23;
const LAST_GENERATION = 0x1ff;

/**
 * Reads the names of one message at a time, in time that is linear in its length whatever it holds.
 *
 * A compressed name lies in chunks: labels that end with the root or with a pointer to the next
 * chunk. Each chunk must end before the one that points at it begins, so names cannot loop and
 * nothing is read that lies behind the name. A chunk may not cover what changes when the message is
 * sent again: the header, the fixed fields of a record (its TTL ages), or half of a label of the
 * question (its letters get the client's case).
 *
 * Findings about the target of a pointer are remembered, for each label there, so it is read
 * once however many names point at it:
 *
 * ```
 *  memo word:  | generation 9 | octets to the end of its chunk, less one 8 | pointers 7 | size 8 |
 * ```
 *
 * The memo of an earlier message has another generation, so nothing has to be cleared.
 */
export class NameReader {
  /** Octets read since `begin`. */
  octetsRead = 0;
  /** Records whose TTL offsets stand in the array given to the constructor. */
  records = 0;

  readonly #ttls: Uint16Array;
  #bytes: Uint8Array = new Uint8Array(0);
  #start = 0;
  #end = 0;
  /** Offset of the first record from the start of the message. */
  #recordsAt = 0;
  #maxReads = 0;
  /** Made for the first name that has a pointer to anything but the qname. */
  #memo: Int32Array | null = null;
  /** For each word of the memo: where the chunk that follows its own ends; 0 without one. */
  #nextEnd: Uint16Array = new Uint16Array(0);
  /** Offsets of the labels and pointers of the name being read. */
  #path: Uint16Array = new Uint16Array(0);
  #generation = 0;
  #primed = false;

  /** @param ttls - offsets of the TTLs of the records read so far, kept by the caller */
  constructor(ttls: Uint16Array = new Uint16Array(0)) {
    this.#ttls = ttls;
  }

  /**
   * Starts with the message in `bytes` at `start` and reads the name of its question, which must be
   * uncompressed.
   *
   * @returns where that name ends, or -1 for a bad one
   */
  begin(bytes: Uint8Array, start: number, length: number): number {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = start + length;
    this.#maxReads = READS_PER_OCTET * length + FREE_READS;
    this.octetsRead = 0;
    this.records = 0;
    this.#primed = false;
    if (this.#end > bytes.length) return -1;
    let at = start + HEADER_SIZE;
    const most = Math.min(this.#end, at + MAX_NAME_SIZE);
    for (;;) {
      if (at >= most || bytes[at]! > 63) return -1;
      this.octetsRead++;
      const octet = bytes[at]!;
      at += octet + 1;
      if (octet === 0) break;
    }
    this.#recordsAt = at + 4 - start;
    return at;
  }

  /** Whether more was read than a message of this length may cost: it is malformed. */
  get exhausted(): boolean {
    return this.octetsRead > this.#maxReads;
  }

  /** Checks all of the name at `at` (RFC 1035 section 4.1.4); where it ends, or -1 for a bad one. */
  skip(at: number): number {
    const bytes = this.#bytes;
    const end = this.#end;
    // Nearly every owner is a pointer to the question.
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

  /** Steps over the name at `at` without a look at what its pointer leads to; -1 for a bad one. */
  pass(at: number): number {
    const bytes = this.#bytes;
    const end = this.#end;
    for (let label = at;;) {
      if (label >= end) return -1;
      this.octetsRead++;
      const octet = bytes[label]!;
      if (octet === 0) return label + 1;
      if (octet >= 0xc0) return label + 2 <= end ? label + 2 : -1;
      if (octet > 63) return -1;
      label += octet + 1;
    }
  }

  /** Where the first label of the name at `at` lies, which `skip` has found good. */
  resolve(at: number): number {
    const bytes = this.#bytes;
    let label = at;
    while (bytes[label]! >= 0xc0) {
      this.octetsRead += 2;
      label = this.#start + pointerAt(bytes, label);
    }
    return label;
  }

  /** Compares two names, both found good by `skip`, without regard to case. */
  isSame(a: number, b: number): boolean {
    const bytes = this.#bytes;
    let left = a;
    let right = b;
    for (;;) {
      if (this.exhausted) return false;
      left = this.resolve(left);
      right = this.resolve(right);
      if (left === right) return true;
      const size = bytes[left]!;
      this.octetsRead += 2;
      if (size !== bytes[right]) return false;
      if (size === 0) return true;
      for (let i = 1; i <= size; i++) {
        this.octetsRead += 2;
        if (lower(bytes[left + i]!) !== lower(bytes[right + i]!)) return false;
      }
      left += size + 1;
      right += size + 1;
    }
  }

  /**
   * A number that equal names have in common, whatever their case (FNV-1a). Names can be made that
   * share it without being equal: `isSame` tells, and reads no more than the bound allows.
   */
  hash(at: number): number {
    const bytes = this.#bytes;
    let hash = 0x811c9dc5 | 0;
    for (let label = at;;) {
      label = this.resolve(label);
      const size = bytes[label]!;
      this.octetsRead += size + 1;
      if (size === 0) return hash;
      for (const end = label + size; label <= end; label++) {
        hash = Math.imul(hash ^ lower(bytes[label]!), 0x01000193);
      }
    }
  }

  /**
   * Reads what a pointer leads to, from `target` on.
   *
   * @param limit - offset at which the first chunk must have ended
   * @returns a word of the memo, or 0 for a bad name
   */
  #readChunks(target: number, limit: number): number {
    if (!this.#primed) this.#prime();
    const bytes = this.#bytes;
    const start = this.#start;
    const memo = this.#memo!;
    const path = this.#path;
    const generation = this.#generation;
    let chunk = target;
    let at = target;
    let depth = 0;
    let size = 0;
    let pointers = 0;
    let end = 0;
    let nextEnd = 0;
    for (;;) {
      const known = memo[at]!;
      if (known >>> GENERATION_SHIFT === generation) {
        size += known & SIZE;
        pointers += (known >>> POINTERS_SHIFT) & POINTERS;
        end = at + ((known >>> SPAN_SHIFT) & SPAN) + 1;
        nextEnd = this.#nextEnd[at]!;
        if (end > limit || nextEnd > chunk) return 0;
        break;
      }
      // In the question every label is known; in between there is none.
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
   * Notes what is known of each label of `#path`, from the last back to the first. An options object
   * would be made for each name here.
   *
   * @param last - offset of what ended the path: the root, or a label that is known already
   * @param end - where its chunk ends
   * @param nextEnd - where the chunk that follows that one ends
   * @returns the word of the first label
   */
  #remember(last: number, depth: number, end: number, nextEnd: number): number {
    const bytes = this.#bytes;
    const start = this.#start;
    const memo = this.#memo!;
    const path = this.#path;
    const base = this.#generation << GENERATION_SHIFT;
    let word = memo[last]!;
    let size = word >>> GENERATION_SHIFT === this.#generation ? word & SIZE : 0;
    let pointers = size === 0 ? 0 : (word >>> POINTERS_SHIFT) & POINTERS;
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
      word = base | ((chunkEnd - at - 1) << SPAN_SHIFT) | (pointers << POINTERS_SHIFT) | size;
      memo[at] = word;
      this.#nextEnd[at] = following;
    }
    return word;
  }

  /** Begins a generation of the memo, with the labels of the question in it. */
  #prime(): void {
    this.#primed = true;
    if (this.#memo === null) {
      // A chunk that begins within reach may end as far beyond as a name is long.
      this.#memo = new Int32Array(REACH + MAX_NAME_SIZE + 1);
      this.#nextEnd = new Uint16Array(REACH + MAX_NAME_SIZE + 1);
      this.#path = new Uint16Array(MAX_NAME_SIZE + MAX_POINTERS);
    }
    if (this.#generation === LAST_GENERATION) {
      this.#memo.fill(0);
      this.#generation = 0;
    }
    this.#generation++;
    const base = this.#generation << GENERATION_SHIFT;
    const end = this.#recordsAt - 4;
    for (let at = HEADER_SIZE; at < end; at += this.#bytes[this.#start + at]! + 1) {
      this.octetsRead++;
      this.#memo[at] = base | ((end - at - 1) << SPAN_SHIFT) | (end - at);
      this.#nextEnd[at] = 0;
    }
  }

  /** Whether type, class, TTL or length of a record lie between two offsets, the last not included. */
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

/** Offset that the pointer at `at` holds. */
function pointerAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! & 0x3f) << 8) | bytes[at + 1]!;
}

/** The octet, a capital letter of ASCII as a small one (RFC 4343 section 3). */
export function lower(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet;
}
