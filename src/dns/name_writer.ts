import { HEADER_SIZE, MAX_MESSAGE_SIZE, MAX_NAME_SIZE } from "./constants.ts";
import { FREE_READS, lower, MAX_POINTERS, REACH, READS_PER_OCTET } from "./name_reader.ts";
import { NameTable, NONE, ROOT } from "./name_table.ts";

const NODE = 0xffff;
const GENERATION_SHIFT = 16;
const LAST_GENERATION = 0xffff;

/**
 * Copies the names of one message into another, compressed, in time that is linear in the length of
 * both whatever they hold.
 *
 * Names are looked up label by label from the root (`NameTable`). What a pointer of the source leads
 * to is looked up once: the memo has the node for each offset that a pointer can reach. Every bound is
 * checked here; chunks of a name lie one before the other, as `NameReader` wants them.
 */
export class NameWriter {
  /** Where the name that was written last ends. */
  end = 0;

  readonly #table = new NameTable();
  /** Generation and node, as in the slots of the table, by offset in the source. */
  readonly #memo = new Int32Array(REACH);
  /** Offsets of the labels and pointers of the name being read, in the source. */
  readonly #path = new Uint16Array(MAX_NAME_SIZE + MAX_POINTERS);
  #depth = 0;
  /** The node of what follows the path. */
  #rest = ROOT;
  #from: Uint8Array = new Uint8Array(0);
  #to: Uint8Array = new Uint8Array(0);
  #questionEnd = 0;
  #generation = 0;
  #reads = 0;
  #maxReads = 0;

  /** Octets read for the names of the last message. */
  get octetsRead(): number {
    return this.#reads + this.#table.octetsRead;
  }

  /**
   * Starts with the message `from`: copies its header and the name of its question, which must be
   * uncompressed, to the beginning of `to`.
   *
   * @returns offset of that name's end in either, or -1 for a bad one
   */
  begin(from: Uint8Array, to: Uint8Array): number {
    this.#from = from;
    this.#to = to;
    this.#reads = 0;
    this.#maxReads = READS_PER_OCTET * from.length + FREE_READS + MAX_MESSAGE_SIZE;
    if (this.#generation === LAST_GENERATION) {
      this.#memo.fill(0);
      this.#generation = 0;
    }
    this.#generation++;
    const table = this.#table;
    table.clear(to);
    const most = Math.min(from.length, HEADER_SIZE + MAX_NAME_SIZE);
    let depth = 0;
    let at = HEADER_SIZE;
    for (;;) {
      if (at >= most) return -1;
      const octet = from[at]!;
      if (octet > 63) return -1;
      if (octet === 0) break;
      this.#path[depth++] = at;
      at += octet + 1;
    }
    this.#questionEnd = at + 1;
    for (let i = 0; i <= at; i++) to[i] = from[i]!;
    let node = ROOT;
    while (depth > 0) {
      const label = this.#path[--depth]!;
      node = table.add(node, label);
      if (node === NONE) break;
      this.#note(label, node);
    }
    return at + 1;
  }

  /**
   * Writes the name at offset `at` of the source to offset `out`.
   *
   * @param compressed - false for one that must stand in full, and that no pointer leads to
   * @returns where it ends in the source, or -1 for a bad name or where there is no room
   */
  write(at: number, out: number, compressed: boolean): number {
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
    const to = this.#to;
    if (node === ROOT) {
      to[labelsEnd] = 0;
      this.end = labelsEnd + 1;
    } else {
      const offset = this.#table.offsetOf(node);
      to[labelsEnd] = 0xc0 | (offset >> 8);
      to[labelsEnd + 1] = offset & 255;
      this.end = labelsEnd + 2;
    }
    if (this.end > MAX_MESSAGE_SIZE) return -1;
    if (compressed) this.#remember(fresh, node, labelsEnd);
    return next;
  }

  /** Steps over the name at offset `at` of the source, whatever its pointer leads to; -1 for none. */
  pass(at: number): number {
    const from = this.#from;
    for (let label = at; label < from.length;) {
      this.#reads++;
      const octet = from[label]!;
      if (octet >= 0xc0) return label + 2;
      label += octet + 1;
      if (octet === 0) return label;
    }
    return -1;
  }

  /** Finds the labels of a name up to the root or to what is known; where it ends, or -1. */
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
      if (compressed && pointers > 0) {
        const known = memo[label]!;
        if (known >>> GENERATION_SHIFT === this.#generation) {
          this.#rest = known & NODE;
          size += this.#table.sizeOf(this.#rest) - 1;
          break;
        }
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
        const target = ((octet & 0x3f) << 8) | from[label + 1]!;
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

  /** Writes the first labels of the path to `out`; where they end. */
  #writeLabels(count: number, out: number): number {
    const from = this.#from;
    const to = this.#to;
    let end = out;
    for (let i = 0; i < count; i++) {
      const label = this.#path[i]!;
      let at = label;
      const size = from[at]!;
      if (size >= 0xc0) continue;
      this.#reads += size;
      // The letters of the question are the client's, and of no meaning elsewhere.
      const folded = label < this.#questionEnd;
      for (const last = at + size; at <= last; at++) {
        to[end++] = folded ? lower(from[at]!) : from[at]!;
      }
    }
    return end;
  }

  /** Adds the labels that end at `labelsEnd`, the last one in front of `node`. */
  #remember(count: number, node: number, labelsEnd: number): void {
    let parent = node;
    let at = labelsEnd;
    for (let i = count - 1; i >= 0; i--) {
      const label = this.#path[i]!;
      const size = this.#from[label]!;
      if (size < 0xc0) {
        at -= size + 1;
        if (at >= REACH) return;
        parent = this.#table.add(parent, at);
        if (parent === NONE) return;
      }
      this.#note(label, parent);
    }
  }

  /** Notes the node of what begins at an offset of the source. */
  #note(at: number, node: number): void {
    if (at < REACH) this.#memo[at] = (this.#generation << GENERATION_SHIFT) | node;
  }
}
