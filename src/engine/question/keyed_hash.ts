/**
 * HalfSipHash-1-3 (Aumasson and Bernstein, https://github.com/veorq/SipHash): without the key,
 * clients cannot prepare collisions. Never reveal hashes: they have only 32 bits.
 *
 * Returning state or unsigned 32-bit numbers would allocate, so `read.ts` repeats the round.
 */

/** Initial state words. */
export const INITIAL = { V2: 0x6c796765, V3: 0x74656462 } as const;

/** A secret key. */
export class HashKey {
  readonly k0: number;
  readonly k1: number;

  constructor(k0: number, k1: number) {
    this.k0 = k0 | 0;
    this.k1 = k1 | 0;
  }

  /** `random` must be cryptographically secure. */
  static draw(random: () => number): HashKey {
    return new HashKey(random(), random());
  }
}

/** Signed 32-bit hash. */
export function hashOctets(key: HashKey, octets: Uint8Array, at: number, length: number): number {
  const { k0, k1 } = key;
  let v0 = k0;
  let v1 = k1;
  let v2 = k0 ^ INITIAL.V2;
  let v3 = k1 ^ INITIAL.V3;
  const whole = at + (length & ~3);
  // The last word with the length, then finalization.
  let left = (length >> 2) + 4;
  for (let next = at; left > 0; left--) {
    let word = 0;
    if (next < whole) {
      word = octets[next]! | (octets[next + 1]! << 8) | (octets[next + 2]! << 16) |
        (octets[next + 3]! << 24);
      next += 4;
    } else if (left === 4) {
      word = length << 24;
      for (let i = length & 3; i > 0; i--) word |= octets[whole + i - 1]! << ((i - 1) << 3);
    }
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
    if (left === 4) v2 ^= 0xff;
  }
  return v1 ^ v3;
}
