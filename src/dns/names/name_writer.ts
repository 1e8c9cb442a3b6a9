import { HEADER_SIZE, MAX_MESSAGE_SIZE, MAX_NAME_SIZE } from "../constants.ts";
import { FREE_READS, MAX_POINTERS, REACH, READS_PER_OCTET } from "./name_reader.ts";
import { NameTable, NONE, ROOT } from "./name_table.ts";
import { lower, pointerAt, skipPlainName } from "./walk.ts";

/** Copies and compresses names in linear time, from the root (`NameTable`). Checks bounds again. */
export class NameWriter {
  end = 0;

  readonly #table = new NameTable();
  /** Node plus one, by source offset. */
  readonly #memo = new Uint16Array(REACH);
  readonly #path = new Uint16Array(MAX_NAME_SIZE + MAX_POINTERS);
  #depth = 0;
  #rest = ROOT;
  #from: Uint8Array = new Uint8Array(0);
  #to: Uint8Array = new Uint8Array(0);
  #questionEnd = 0;
  #primed = false;
  /** Last target of pointers. */
  #lastAt = 0;
  #lastOffset = 0;
  #reads = 0;
  #maxReads = 0;

  get octetsRead(): number {
    return this.#reads + this.#table.octetsRead;
  }

  /** Returns their end, or -1. */
  begin(from: Uint8Array, to: Uint8Array): number {
    this.#from = from;
    this.#to = to;
    this.#reads = 0;
    this.#maxReads = READS_PER_OCTET * from.length + FREE_READS + MAX_MESSAGE_SIZE;
    this.#table.clear(to);
    this.#primed = false;
    this.#lastAt = this.#lastOffset = HEADER_SIZE;
    const nameEnd = skipPlainName(from, HEADER_SIZE, from.length);
    for (let i = 0; i < nameEnd; i++) to[i] = from[i]!;
    this.#questionEnd = nameEnd;
    return nameEnd;
  }

  /**
   * Unless `compressed`, writes in full and never as a pointer's target. Returns the source end, or
   * -1 if malformed or too long.
   */
  write(at: number, out: number, compressed: boolean): number {
    const same = compressed ? this.#skipSame(at) : -1;
    if (same >= 0) {
      this.end = this.#writePointer(this.#lastOffset, out);
      return this.end > MAX_MESSAGE_SIZE ? -1 : same;
    }
    if (!this.#primed) this.#prime();
    const next = this.#read(at, compressed);
    if (next < 0) return -1;
    const from = this.#from;
    const path = this.#path;
    let node = this.#rest;
    let fresh = this.#depth;
    while (compressed && fresh > 0) {
      const label = path[fresh - 1]!;
      if (from[label]! < 0xc0) {
        const found = this.#table.find(node, from, label);
        if (found === NONE) break;
        node = found;
      }
      this.#note(label, node);
      fresh--;
    }
    const labelsEnd = this.#writeLabels(fresh, out);
    if (node === ROOT) this.#to[labelsEnd] = 0;
    this.end = node === ROOT
      ? labelsEnd + 1
      : this.#writePointer(this.#table.offsetOf(node), labelsEnd);
    if (this.end > MAX_MESSAGE_SIZE) return -1;
    if (!compressed) return next;
    const whole = this.#remember(fresh, node, labelsEnd);
    if (whole !== NONE && whole !== ROOT) {
      this.#lastAt = at;
      this.#lastOffset = this.#table.offsetOf(whole);
    }
    return next;
  }

  /** The name's end if repeated, or -1. */
  #skipSame(at: number): number {
    const from = this.#from;
    const away = at - this.#lastAt;
    for (let label = at;;) {
      const size = from[label]!;
      // The root is shorter than a pointer.
      if (size !== from[label - away] || (size === 0 && label === at)) return -1;
      if (size === 0) return label + 1;
      if (size >= 0xc0) return from[label + 1] === from[label + 1 - away] ? label + 2 : -1;
      this.#reads += size + 1;
      for (const end = label + size; label < end;) {
        label++;
        const octet = from[label]!;
        const other = from[label - away]!;
        if (octet !== other && lower(octet) !== lower(other)) return -1;
      }
      label++;
    }
  }

  #prime(): void {
    this.#primed = true;
    const table = this.#table;
    this.#memo.fill(0, 0, this.#from.length);
    let depth = 0;
    for (let at = HEADER_SIZE; this.#from[at] !== 0; at += this.#from[at]! + 1) {
      this.#path[depth++] = at;
    }
    for (let node = ROOT; depth > 0;) {
      const label = this.#path[--depth]!;
      node = table.add(node, label);
      if (node === NONE) return;
      this.#note(label, node);
    }
  }

  /** To the root or memo; the end, or -1. */
  #read(at: number, compressed: boolean): number {
    const from = this.#from;
    const memo = this.#memo;
    const path = this.#path;
    let limit = from.length;
    let chunk = at;
    let label = at;
    let size = 1;
    let pointers = 0;
    let depth = 0;
    let next = -1;
    for (;;) {
      if (label >= limit || this.octetsRead > this.#maxReads) return -1;
      const known = compressed && pointers > 0 ? memo[label]! : 0;
      if (known !== 0) {
        this.#rest = known - 1;
        size += this.#table.sizeOf(this.#rest) - 1;
        break;
      }
      this.#reads++;
      const octet = from[label]!;
      if (octet === 0) {
        this.#rest = ROOT;
        if (next < 0) next = label + 1;
        break;
      }
      if (octet >= 0xc0) {
        if (label + 2 > limit || ++pointers > MAX_POINTERS) return -1;
        path[depth++] = label;
        if (next < 0) next = label + 2;
        const target = pointerAt(from, label);
        if (target < HEADER_SIZE) return -1;
        limit = chunk;
        chunk = label = target;
        continue;
      }
      size += octet + 1;
      if (octet > 63 || size > MAX_NAME_SIZE) return -1;
      path[depth++] = label;
      label += octet + 1;
    }
    this.#depth = depth;
    return size > MAX_NAME_SIZE ? -1 : next;
  }

  #writeLabels(count: number, out: number): number {
    const from = this.#from;
    const to = this.#to;
    let end = out;
    for (let i = 0; i < count; i++) {
      const label = this.#path[i]!;
      const size = from[label]!;
      if (size >= 0xc0) continue;
      this.#reads += size;
      // The question's case is the client's.
      const folded = label < this.#questionEnd;
      for (let at = label; at <= label + size; at++) {
        to[end++] = folded ? lower(from[at]!) : from[at]!;
      }
    }
    return end;
  }

  #writePointer(offset: number, out: number): number {
    this.#to[out] = 0xc0 | (offset >> 8);
    this.#to[out + 1] = offset & 255;
    return out + 2;
  }

  #remember(count: number, node: number, labelsEnd: number): number {
    let parent = node;
    let at = labelsEnd;
    for (let i = count - 1; i >= 0; i--) {
      const label = this.#path[i]!;
      const size = this.#from[label]!;
      if (size < 0xc0) {
        at -= size + 1;
        parent = at < REACH ? this.#table.add(parent, at) : NONE;
        if (parent === NONE) return NONE;
      }
      this.#note(label, parent);
    }
    return parent;
  }

  #note(at: number, node: number): void {
    if (at < REACH) this.#memo[at] = node + 1;
  }
}
