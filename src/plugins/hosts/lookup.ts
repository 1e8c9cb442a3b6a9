import { HashKey, hashOctets } from "../../engine/question/keyed_hash.ts";
import { HEAD_SIZE } from "./table.ts";

/** What an entry has: IPv4 addresses, IPv6 addresses, names. */
export const V4 = 0;
/** See `V4`. */
export const V6 = 1;
/** See `V4`. */
export const NAMES = 2;

/** A table of `buildHostsTable`, searched in place without allocating. */
export class HostsLookup {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #mask: number;
  readonly #key: HashKey;

  constructor(table: ArrayBuffer) {
    this.bytes = new Uint8Array(table);
    this.#view = new DataView(table);
    this.#mask = this.#view.getUint32(0) - 1;
    this.#key = new HashKey(this.#view.getInt32(8), this.#view.getInt32(12));
  }

  /** Addresses and names in the table. */
  get items(): number {
    return this.#view.getUint32(4);
  }

  /** The entry of the lower-case wire-form name in the first `length` bytes; 0 for none. */
  find(name: Uint8Array, length: number): number {
    const view = this.#view;
    const { bytes } = this;
    const slot = hashOctets(this.#key, name, 0, length) & this.#mask;
    let at = view.getUint32(HEAD_SIZE + 4 * slot);
    for (; at !== 0; at = view.getUint32(at)) {
      if (bytes[at + 4] !== length) continue;
      let i = 0;
      while (i < length && bytes[at + 5 + i] === name[i]) i++;
      if (i === length) return at + 5 + length;
    }
    return 0;
  }

  /** How many of a kind an entry has; 0 for no entry. */
  count(entry: number, kind: typeof V4 | typeof V6 | typeof NAMES): number {
    return entry === 0 ? 0 : this.#view.getUint16(entry + 2 * kind);
  }

  /** Where the first of a kind lies in `bytes`. */
  dataAt(entry: number, kind: typeof V4 | typeof V6 | typeof NAMES): number {
    const v4At = entry + 6;
    if (kind === V4) return v4At;
    const v6At = v4At + 4 * this.#view.getUint16(entry);
    return kind === V6 ? v6At : v6At + 16 * this.#view.getUint16(entry + 2);
  }
}
