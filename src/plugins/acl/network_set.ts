import type { Address } from "../../dns/address.ts";
import type { ClientNetwork } from "./network_argument.ts";

/** Words of an address: the family, then a big-endian number. */
const WORDS = 5;

type Range = [lowest: bigint, highest: bigint];

/** Networks as sorted, disjoint address ranges, for binary search. */
export class NetworkSet {
  /** Lowest, then highest address of each range. */
  readonly #words: Uint32Array;
  readonly #ranges: number;
  readonly #wanted = new Uint32Array(WORDS);

  constructor(networks: readonly ClientNetwork[]) {
    const ranges = merge(networks.map(rangeOf));
    this.#ranges = ranges.length;
    this.#words = Uint32Array.from(ranges.flat().flatMap(wordsOf));
  }

  /** Allocates nothing. */
  contains({ family, bytes }: Address): boolean {
    const wanted = this.#wanted.fill(0);
    wanted[0] = family;
    const length = family === 4 ? 4 : 16;
    for (let at = length - 4, i = WORDS - 1; at >= 0; at -= 4, i--) {
      wanted[i] = bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!;
    }
    // Finds the last range that starts at or before the address.
    let low = 0;
    let high = this.#ranges;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(2 * middle) > 0) high = middle;
      else low = middle + 1;
    }
    return low > 0 && this.#compare(2 * low - 1) >= 0;
  }

  #compare(entry: number): number {
    for (let i = 0, at = WORDS * entry; i < WORDS; i++, at++) {
      const difference = this.#words[at]! - this.#wanted[i]!;
      if (difference !== 0) return difference;
    }
    return 0;
  }
}

function rangeOf({ octets, prefix }: ClientNetwork): Range {
  const family = octets.length === 4 ? 4n : 6n;
  const host = (1n << BigInt(8 * octets.length - prefix)) - 1n;
  const address = octets.reduce((value, octet) => value << 8n | BigInt(octet), 0n);
  return [family << 128n | address & ~host, family << 128n | address | host];
}

function merge(ranges: Range[]): Range[] {
  const merged: Range[] = [];
  for (const [lowest, highest] of ranges.sort((a, b) => (a[0] < b[0] ? -1 : 1))) {
    const last = merged.at(-1);
    if (last === undefined || lowest > last[1] + 1n) merged.push([lowest, highest]);
    else if (highest > last[1]) last[1] = highest;
  }
  return merged;
}

function wordsOf(value: bigint): number[] {
  return Array.from(
    { length: WORDS },
    (_, i) => Number(value >> BigInt(32 * (4 - i)) & 0xffffffffn),
  );
}
