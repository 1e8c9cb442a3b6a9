import { HEADER_SIZE, MAX_MESSAGE_SIZE } from "./constants.ts";
import { isDnssecType } from "./dnssec_types.ts";
import { NameWriter } from "./names/name_writer.ts";
import { copyData, type DataWriter, mayCompressData } from "./record_layout.ts";
import { MAX_RECORDS } from "./response_scan.ts";

/** Size of type, class, TTL and length of a record. */
const FIELDS_SIZE = 10;

/**
 * Writes a response anew with its names compressed (RFC 1035 section 4.1.4), in time that is linear
 * in its length.
 *
 * Owners are compressed, and the names in the data of RFC 1035's own types. Those in the data of any
 * other type are written in full, and nothing points at them (RFC 3597 section 4). Case does not
 * matter, so a name may take the letters of one that was there before; where that is the question's,
 * it has the letters of whichever client gets it.
 *
 * It takes no other module's word for a bound, and checks each name again.
 */
export class Compressor {
  /** Length of the message written. */
  length = 0;
  ttlCount = 0;
  /** Offset of each record's TTL in the message written. */
  readonly ttls: Uint16Array = new Uint16Array(MAX_RECORDS);

  readonly #names = new NameWriter();
  readonly #counts = new Uint16Array(3);
  #from: Uint8Array = new Uint8Array(0);
  #to: Uint8Array = new Uint8Array(0);
  #out = 0;
  /** Whether names in the data of the record at hand may be compressed. */
  #compressesData = false;
  readonly #data: DataWriter = {
    copy: (at, size) => this.#copy(at, size),
    copyName: (at) => this.#copyName(at, this.#compressesData),
  };

  /** Octets that were read for the names of the last message. */
  get octetsRead(): number {
    return this.#names.octetsRead;
  }

  /**
   * Copies the message `from` to the beginning of `to`, compressed. The copy may be longer where names
   * that must not be compressed were.
   *
   * @param records - how many records the message has
   * @param to - has room for 65,535 bytes
   * @returns false for a bad message, or where the copy would be longer than a message can be
   */
  compress(from: Uint8Array, records: number, to: Uint8Array): boolean {
    return this.#rewrite(from, records, to, true);
  }

  /**
   * As `compress`, without the DNSSEC records that the question did not ask for, for a client that
   * did not set DO (RFC 4035 section 3.2.1).
   */
  strip(from: Uint8Array, records: number, to: Uint8Array): boolean {
    return this.#rewrite(from, records, to, false);
  }

  #rewrite(from: Uint8Array, records: number, to: Uint8Array, dnssec: boolean): boolean {
    this.length = 0;
    this.ttlCount = 0;
    const { length } = from;
    if (length < HEADER_SIZE || records > MAX_RECORDS) return false;
    this.#from = from;
    this.#to = to;
    const names = this.#names;
    const questionEnd = names.begin(from, to);
    if (questionEnd < 0 || questionEnd + 4 > length) return false;
    this.#out = questionEnd;
    this.#copy(questionEnd, 4);
    const qtype = this.#uint16(questionEnd);
    const answers = this.#uint16(6);
    const authorities = answers + this.#uint16(8);
    const counts = this.#counts.fill(0);
    for (let i = 0, at = questionEnd + 4; i < records; i++) {
      const fieldsAt = names.pass(at);
      if (fieldsAt < 0 || fieldsAt + FIELDS_SIZE > length) return false;
      const type = this.#uint16(fieldsAt);
      const next = fieldsAt + FIELDS_SIZE + this.#uint16(fieldsAt + 8);
      if (next > length) return false;
      if (dnssec || type === qtype || !isDnssecType(type)) {
        if (!this.#copyRecord(at, fieldsAt, type, next)) return false;
        counts[i < answers ? 0 : i < authorities ? 1 : 2]!++;
      }
      at = next;
    }
    for (let i = 0; i < counts.length; i++) {
      to[6 + 2 * i] = counts[i]! >> 8;
      to[7 + 2 * i] = counts[i]! & 255;
    }
    this.length = this.#out;
    return true;
  }

  #copyRecord(owner: number, fieldsAt: number, type: number, next: number): boolean {
    if (this.#copyName(owner, true) !== fieldsAt) return false;
    this.ttls[this.ttlCount++] = this.#out + 4;
    if (!this.#copy(fieldsAt, FIELDS_SIZE)) return false;
    const dataAt = this.#out;
    this.#compressesData = mayCompressData(type);
    if (!copyData(this.#from, type, fieldsAt + FIELDS_SIZE, next, this.#data)) return false;
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

  /** Copies a name; where it ends in the source, or -1. */
  #copyName(at: number, compressed: boolean): number {
    const next = this.#names.write(at, this.#out, compressed);
    if (next >= 0) this.#out = this.#names.end;
    return next;
  }

  #uint16(at: number): number {
    return (this.#from[at]! << 8) | this.#from[at + 1]!;
  }
}
