import { HEADER_SIZE, MAX_MESSAGE_SIZE, TYPE } from "./constants.ts";
import { MAX_RECORDS, NAMES_IN_DATA } from "./response_scan.ts";

/** Whether records of a type serve validation alone (RFC 4035 section 3.2.1, RFC 5155). */
export function isDnssecType(type: number): boolean {
  return type === TYPE.RRSIG || type === TYPE.NSEC || type === TYPE.NSEC3 ||
    type === TYPE.DNSKEY || type === TYPE.DS;
}

/**
 * Copies a response without the DNSSEC records that its question did not ask for, for a client that
 * did not set DO (RFC 4035 section 3.2.1).
 *
 * Names are written out in full, because what their pointers point at may go or move; only those
 * that are the qname itself stay pointers. The message must be one that `ResponseScanner` has found
 * good, without its OPT record.
 */
export class DnssecStripper {
  /** Length of the copy. */
  length = 0;
  ttlCount = 0;
  /** Offset of each record's TTL in the copy. */
  readonly ttls: Uint16Array = new Uint16Array(MAX_RECORDS);

  #from: Uint8Array = new Uint8Array(0);
  #start = 0;
  #end = 0;
  #to: Uint8Array = new Uint8Array(0);
  #out = 0;

  /**
   * Copies `length` bytes of `from` at `start` to the beginning of `to`.
   *
   * @param records - how many records the message has
   * @param to - has room for 65,535 bytes
   * @returns false where the copy would be longer than a message can be
   */
  strip(
    from: Uint8Array,
    start: number,
    length: number,
    records: number,
    to: Uint8Array,
  ): boolean {
    this.#from = from;
    this.#start = start;
    this.#end = start + length;
    this.#to = to;
    let at = this.#skipName(start + HEADER_SIZE) + 4;
    const qtype = this.#uint16(at - 4);
    const head = at - start;
    for (let i = 0; i < head; i++) to[i] = from[start + i]!;
    this.#out = head;
    this.ttlCount = 0;
    const limits = [this.#uint16(start + 6), 0, 0];
    limits[1] = limits[0]! + this.#uint16(start + 8);
    const counts = [0, 0, 0];
    for (let i = 0; i < records; i++) {
      const typeAt = this.#skipName(at);
      const type = this.#uint16(typeAt);
      const dataLength = this.#uint16(typeAt + 8);
      const next = typeAt + 10 + dataLength;
      if (next > this.#end) return false;
      if (type === qtype || !isDnssecType(type)) {
        if (!this.#copyRecord(at, typeAt, type, next)) return false;
        counts[i < limits[0]! ? 0 : i < limits[1]! ? 1 : 2]!++;
      }
      at = next;
    }
    counts.forEach((count, i) => {
      to[6 + 2 * i] = count >> 8;
      to[7 + 2 * i] = count & 255;
    });
    this.length = this.#out;
    return true;
  }

  #copyRecord(owner: number, typeAt: number, type: number, next: number): boolean {
    if (!this.#copyName(owner)) return false;
    this.ttls[this.ttlCount++] = this.#out + 4;
    if (!this.#copy(typeAt, 10)) return false;
    const dataAt = this.#out;
    const layout = NAMES_IN_DATA.get(type);
    let at = typeAt + 10;
    if (layout !== undefined) {
      if (!this.#copy(at, layout.before)) return false;
      at += layout.before;
      for (let i = 0; i < layout.names; i++) {
        if (!this.#copyName(at)) return false;
        at = this.#skipName(at);
      }
    }
    if (!this.#copy(at, next - at)) return false;
    const size = this.#out - dataAt;
    this.#to[dataAt - 2] = size >> 8;
    this.#to[dataAt - 1] = size & 255;
    return true;
  }

  #copy(at: number, size: number): boolean {
    if (size < 0 || this.#out + size > MAX_MESSAGE_SIZE) return false;
    for (let i = 0; i < size; i++) this.#to[this.#out++] = this.#from[at + i]!;
    return true;
  }

  #copyName(start: number): boolean {
    const from = this.#from;
    for (let at = start;;) {
      const octet = from[at]!;
      if (octet >= 0xc0) {
        const target = this.#uint16(at) & 0x3fff;
        if (target === HEADER_SIZE) return this.#copy(at, 2);
        at = this.#start + target;
        continue;
      }
      if (!this.#copy(at, octet + 1)) return false;
      if (octet === 0) return true;
      at += octet + 1;
    }
  }

  #skipName(start: number): number {
    for (let at = start;;) {
      const octet = this.#from[at]!;
      if (octet >= 0xc0) return at + 2;
      if (octet === 0) return at + 1;
      at += octet + 1;
    }
  }

  #uint16(at: number): number {
    return (this.#from[at]! << 8) | this.#from[at + 1]!;
  }
}
