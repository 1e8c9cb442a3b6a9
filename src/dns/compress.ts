import { HEADER_SIZE, isDnssecType, MAX_MESSAGE_SIZE } from "./constants.ts";
import { NameWriter } from "./names/name_writer.ts";
import { passName } from "./names/walk.ts";
import { layoutOf, mayCompressData, NAME, stepOver } from "./record_layout.ts";
import { MAX_RECORDS, RECORD_FIELDS_SIZE } from "./response_scan.ts";

/**
 * Compresses names (RFC 1035 section 4.1.4) in linear time; one may get an earlier one's case.
 * Names in newer types' data are neither compressed nor targets (RFC 3597 section 4).
 */
export class Compressor {
  length = 0;
  ttlCount = 0;
  readonly ttls: Uint16Array = new Uint16Array(MAX_RECORDS);

  readonly #names = new NameWriter();
  readonly #counts = new Uint16Array(3);
  #from: Uint8Array = new Uint8Array(0);
  #to: Uint8Array = new Uint8Array(0);
  #out = 0;

  get octetsRead(): number {
    return this.#names.octetsRead;
  }

  /** `to` has room for 65,535 bytes. False if malformed or too long. */
  compress(from: Uint8Array, records: number, to: Uint8Array): boolean {
    return this.#rewrite(from, records, to, true);
  }

  /** Also drops unrequested DNSSEC records (RFC 4035 section 3.2.1). */
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
    const questionEnd = this.#names.begin(from, to);
    if (questionEnd < 0 || questionEnd + 4 > length) return false;
    this.#out = questionEnd;
    this.#copy(questionEnd, 4);
    const qtype = this.#uint16(questionEnd);
    const answers = this.#uint16(6);
    const authorities = answers + this.#uint16(8);
    const counts = this.#counts.fill(0);
    for (let i = 0, at = questionEnd + 4; i < records; i++) {
      const fieldsAt = passName(from, at, length);
      if (fieldsAt < 0 || fieldsAt + RECORD_FIELDS_SIZE > length) return false;
      const type = this.#uint16(fieldsAt);
      const next = fieldsAt + RECORD_FIELDS_SIZE + this.#uint16(fieldsAt + 8);
      if (next > length) return false;
      if (dnssec || type === qtype || !isDnssecType(type)) {
        if (!this.#copyRecord(at, fieldsAt, type, next)) return false;
        counts[i < answers ? 0 : i < authorities ? 1 : 2]!++;
      }
      at = next;
    }
    for (let i = 0; i < counts.length; i++) this.#putUint16(6 + 2 * i, counts[i]!);
    this.length = this.#out;
    return true;
  }

  #copyRecord(owner: number, fieldsAt: number, type: number, next: number): boolean {
    if (this.#copyName(owner, true) !== fieldsAt) return false;
    this.ttls[this.ttlCount++] = this.#out + 4;
    if (!this.#copy(fieldsAt, RECORD_FIELDS_SIZE)) return false;
    const dataAt = this.#out;
    if (!this.#copyData(type, fieldsAt + RECORD_FIELDS_SIZE, next)) return false;
    this.#putUint16(dataAt - 2, this.#out - dataAt);
    return true;
  }

  #copyData(type: number, at: number, end: number): boolean {
    const layout = layoutOf(type);
    const compressed = mayCompressData(type);
    let copied = at;
    let next = at;
    for (let i = 0; i < layout.length; i++) {
      const step = layout[i]!;
      if (step !== NAME) {
        next = stepOver(this.#from, step, next, end);
      } else {
        if (!this.#copy(copied, next - copied)) return false;
        copied = next = this.#copyName(next, compressed);
      }
      if (next < 0 || next > end) return false;
    }
    return this.#copy(copied, end - copied);
  }

  #copy(at: number, size: number): boolean {
    if (size < 0 || this.#out + size > MAX_MESSAGE_SIZE) return false;
    for (let i = 0; i < size; i++) this.#to[this.#out++] = this.#from[at + i]!;
    return true;
  }

  #copyName(at: number, compressed: boolean): number {
    const next = this.#names.write(at, this.#out, compressed);
    if (next >= 0) this.#out = this.#names.end;
    return next;
  }

  #uint16(at: number): number {
    return (this.#from[at]! << 8) | this.#from[at + 1]!;
  }

  #putUint16(at: number, value: number): void {
    this.#to[at] = value >> 8;
    this.#to[at + 1] = value & 255;
  }
}
