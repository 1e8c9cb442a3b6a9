import { HEADER_SIZE } from "./constants.ts";
import { formatName } from "./name.ts";
import { expandName } from "./names/walk.ts";

/** Throws `RangeError` beyond the message's end. */
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
    const expanded = expandName(this.#bytes, 0, this.at);
    if (expanded === null) throw new RangeError(`bad name at byte ${this.at}`);
    this.#skip(expanded.end - this.at);
    return formatName(expanded.name);
  }

  #skip(count: number): number {
    const start = this.at;
    this.at += count;
    if (this.at > this.#end) throw new RangeError(`record ends at byte ${this.at} of ${this.#end}`);
    return start;
  }
}
