import { hashName } from "./table.ts";

/** What a table holds for a name; offsets into `bytes`. */
export interface HostsRecord {
  readonly v4Count: number;
  readonly v4At: number;
  readonly v6Count: number;
  readonly v6At: number;
  readonly nameCount: number;
  readonly namesAt: number;
}

/** A table of `buildHostsTable`, searched in place. */
export class HostsLookup {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #slots: number;

  constructor(table: ArrayBuffer) {
    this.bytes = new Uint8Array(table);
    this.#view = new DataView(table);
    this.#slots = this.#view.getUint32(0);
  }

  /** Record of a lower-case wire-form name, or null. */
  find(name: Uint8Array, offset: number, length: number): HostsRecord | null {
    const view = this.#view;
    const slot = hashName(name, offset, length) & (this.#slots - 1);
    for (let at = view.getUint32(4 + 4 * slot); at !== 0; at = view.getUint32(at)) {
      if (this.bytes[at + 4] !== length || !this.#equals(at + 5, name, offset, length)) continue;
      const counts = at + 5 + length;
      const v4Count = view.getUint16(counts);
      const v6Count = view.getUint16(counts + 2);
      const v4At = counts + 6;
      const v6At = v4At + 4 * v4Count;
      const nameCount = view.getUint16(counts + 4);
      return { v4Count, v4At, v6Count, v6At, nameCount, namesAt: v6At + 16 * v6Count };
    }
    return null;
  }

  #equals(at: number, name: Uint8Array, offset: number, length: number): boolean {
    for (let i = 0; i < length; i++) if (this.bytes[at + i] !== name[offset + i]) return false;
    return true;
  }
}
