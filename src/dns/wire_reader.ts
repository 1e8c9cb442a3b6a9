import { HEADER_SIZE, MAX_NAME_SIZE } from "./constants.ts";
import { formatName } from "./name.ts";

/** Reads a message. Throws `RangeError` beyond its end. */
export class WireReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  at: number;

  constructor(bytes: Uint8Array, at = HEADER_SIZE, end = bytes.length) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.at = at;
    this.#end = end;
  }

  get left(): number {
    return this.#end - this.at;
  }

  u8(): number {
    return this.#view.getUint8(this.#skip(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#skip(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#skip(4));
  }

  octets(count = this.left): Uint8Array {
    return this.#bytes.subarray(this.#skip(count), this.at);
  }

  /** The next octets, with compressed names. */
  part(count: number): WireReader {
    return new WireReader(this.#bytes, this.#skip(count), this.at);
  }

  name(): string {
    const octets: number[] = [];
    let at = this.at;
    let after: number | null = null;
    // Pointers must lead backwards (RFC 1035 section 4.1.4).
    for (let limit = at;;) {
      const size = this.#bytes[at];
      if (size === undefined || octets.length > MAX_NAME_SIZE) {
        throw new RangeError(`name at byte ${this.at} does not end`);
      }
      if (size < 0x40) {
        octets.push(...this.#bytes.subarray(at, at + 1 + size));
        at += 1 + size;
        if (size === 0) break;
        continue;
      }
      const target = ((size & 0x3f) << 8) | (this.#bytes[at + 1] ?? 0);
      if (size < 0xc0 || target >= limit) throw new RangeError(`bad label at byte ${at}`);
      after ??= at + 2;
      at = limit = target;
    }
    this.#skip((after ?? at) - this.at);
    return formatName(Uint8Array.from(octets));
  }

  #skip(count: number): number {
    const start = this.at;
    this.at += count;
    if (this.at > this.#end) throw new RangeError(`record ends at byte ${this.at} of ${this.#end}`);
    return start;
  }
}
