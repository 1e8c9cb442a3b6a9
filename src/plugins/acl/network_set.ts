import type { Address } from "../../dns/address.ts";
import type { AclNetwork } from "./options.ts";

/**
 * A set of networks, folded into ranges of addresses: sorted, none touching another, so a look-up
 * is a binary search. It allocates nothing.
 */
export class NetworkSet {
  readonly #v4: RangeTable;
  readonly #v6: RangeTable;

  constructor(networks: readonly AclNetwork[]) {
    this.#v4 = new RangeTable(networks.filter(({ octets }) => octets.length === 4), 1);
    this.#v6 = new RangeTable(networks.filter(({ octets }) => octets.length === 16), 4);
  }

  /** Whether the address lies in one of the networks. */
  contains(address: Address): boolean {
    return (address.family === 4 ? this.#v4 : this.#v6).contains(address.bytes);
  }
}

/** Ranges of one family; an address is a big-endian number of `width` words of 32 bits. */
class RangeTable {
  readonly #width: number;
  /** Lowest and highest address of each range, side by side, in ascending order. */
  readonly #words: Uint32Array;
  readonly #count: number;
  readonly #wanted: Uint32Array;

  constructor(networks: readonly AclNetwork[], width: number) {
    this.#width = width;
    this.#wanted = new Uint32Array(width);
    const ranges = merge(networks.map(rangeOf));
    this.#count = ranges.length;
    this.#words = new Uint32Array(2 * width * ranges.length);
    ranges.flat().forEach((value, i) => {
      for (let word = width - 1, rest = value; word >= 0; word--, rest >>= 32n) {
        this.#words[i * width + word] = Number(rest & 0xffffffffn);
      }
    });
  }

  contains(bytes: Uint8Array): boolean {
    const wanted = this.#wanted;
    for (let i = 0, at = 0; i < this.#width; i++, at += 4) {
      wanted[i] = bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!;
    }
    // The last range that begins at or before the address is the only one that can hold it.
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(2 * middle) > 0) high = middle;
      else low = middle + 1;
    }
    return low > 0 && this.#compare(2 * low - 1) >= 0;
  }

  /** Compares the address at this place of the table with the wanted one, as `a - b` would. */
  #compare(place: number): number {
    const width = this.#width;
    const words = this.#words;
    const at = place * width;
    for (let i = 0; i < width; i++) {
      const difference = words[at + i]! - this.#wanted[i]!;
      if (difference !== 0) return difference;
    }
    return 0;
  }
}

type Range = [lowest: bigint, highest: bigint];

function rangeOf({ octets, prefix }: AclNetwork): Range {
  const host = (1n << BigInt(8 * octets.length - prefix)) - 1n;
  const address = octets.reduce((value, octet) => value << 8n | BigInt(octet), 0n);
  return [address & ~host, address | host];
}

/** Sorts ranges and joins those that overlap or touch. */
function merge(ranges: Range[]): Range[] {
  const merged: Range[] = [];
  for (const [lowest, highest] of ranges.sort((a, b) => (a[0] < b[0] ? -1 : 1))) {
    const last = merged.at(-1);
    if (last === undefined || lowest > last[1] + 1n) merged.push([lowest, highest]);
    else if (highest > last[1]) last[1] = highest;
  }
  return merged;
}
