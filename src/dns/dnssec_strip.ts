import { HEADER_SIZE, MAX_MESSAGE_SIZE, TYPE } from "./constants.ts";
import { NameReader } from "./name_reader.ts";
import { copyData } from "./record_layout.ts";
import { MAX_RECORDS } from "./response_scan.ts";

/** Size of type, class, TTL and length of a record. */
const FIELDS_SIZE = 10;

/** Whether records of a type serve validation alone (RFC 4035 section 3.2.1, RFC 5155). */
export function isDnssecType(type: number): boolean {
  return type === TYPE.RRSIG || type === TYPE.NSEC || type === TYPE.NSEC3 ||
    type === TYPE.DNSKEY || type === TYPE.DS;
}

/**
 * Copies a response without the DNSSEC records that its question did not ask for, for a client that
 * did not set DO (RFC 4035 section 3.2.1).
 *
 * Names are written out in full, because what their pointers point at may go or move; only pointers
 * into the question stay. It takes no other module's word for a bound: `NameReader` checks each name
 * again, and what it may read is bounded by the length of the message and of its copy.
 */
export class DnssecStripper {
  /** Length of the copy. */
  length = 0;
  ttlCount = 0;
  /** Offset of each record's TTL in the copy. */
  readonly ttls: Uint16Array = new Uint16Array(MAX_RECORDS);

  readonly #names = new NameReader();
  #from: Uint8Array = new Uint8Array(0);
  #to: Uint8Array = new Uint8Array(0);
  #out = 0;
  readonly #copiers = {
    copy: (at: number, size: number) => this.#copy(at, size),
    copyName: (at: number) => this.#copyName(at),
  };

  /** Octets that were read for the names of the last message. */
  get octetsRead(): number {
    return this.#names.octetsRead;
  }

  /**
   * Copies `length` bytes of `from` at `start` to the beginning of `to`.
   *
   * @param records - how many records the message has
   * @param to - has room for 65,535 bytes
   * @returns false for a bad message, or where the copy would be longer than a message can be
   */
  strip(
    from: Uint8Array,
    start: number,
    length: number,
    records: number,
    to: Uint8Array,
  ): boolean {
    const end = start + length;
    if (length < HEADER_SIZE || records > MAX_RECORDS) return false;
    this.#from = from;
    this.#to = to;
    this.#out = 0;
    this.ttlCount = 0;
    const questionEnd = this.#names.begin(from, start, length, MAX_MESSAGE_SIZE);
    if (questionEnd < 0 || questionEnd + 4 > end) return false;
    const qtype = this.#uint16(questionEnd);
    let at = questionEnd + 4;
    this.#copy(start, at - start);
    const answers = this.#uint16(start + 6);
    const authorities = answers + this.#uint16(start + 8);
    const counts = [0, 0, 0];
    for (let i = 0; i < records; i++) {
      const fieldsAt = this.#names.skip(at);
      if (fieldsAt < 0 || fieldsAt + FIELDS_SIZE > end) return false;
      const type = this.#uint16(fieldsAt);
      const next = fieldsAt + FIELDS_SIZE + this.#uint16(fieldsAt + 8);
      if (next > end) return false;
      if (type === qtype || !isDnssecType(type)) {
        if (!this.#copyRecord(at, fieldsAt, type, next)) return false;
        counts[i < answers ? 0 : i < authorities ? 1 : 2]!++;
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

  #copyRecord(owner: number, fieldsAt: number, type: number, next: number): boolean {
    if (!this.#copyName(owner)) return false;
    this.ttls[this.ttlCount++] = this.#out + 4;
    if (!this.#copy(fieldsAt, FIELDS_SIZE)) return false;
    const dataAt = this.#out;
    const data = { type, at: fieldsAt + FIELDS_SIZE, end: next };
    if (!copyData(this.#from, this.#names, data, this.#copiers)) return false;
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

  #copyName(at: number): boolean {
    const end = this.#names.copy(at, this.#to, this.#out);
    if (end < 0) return false;
    this.#out = end;
    return true;
  }

  #uint16(at: number): number {
    return (this.#from[at]! << 8) | this.#from[at + 1]!;
  }
}
