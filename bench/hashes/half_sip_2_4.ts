import { upperMask } from "../../src/engine/question/fold.ts";
import { type HashKey, INITIAL } from "../../src/engine/question/keyed_hash.ts";

/** HalfSipHash-2-4 of a type and a name; twice the rounds, for authentication. */
export function halfSip24(
  view: DataView,
  at: number,
  length: number,
  type: number,
  key: HashKey,
): number {
  let v0 = key.k0;
  let v1 = key.k1;
  let v2 = v0 ^ INITIAL.V2;
  let v3 = v1 ^ INITIAL.V3;
  const whole = length >> 2;
  let word = type;
  for (let i = 0; i <= whole + 1; i++) {
    v3 ^= word;
    for (let round = 0; round < 2; round++) {
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
    }
    v0 ^= word;
    word = view.getInt32(at + 4 * i, true);
    if (i === whole) word &= (1 << ((length & 3) << 3)) - 1;
    word |= upperMask(word);
    if (i === whole) word |= (length + 4) << 24;
  }
  v2 ^= 0xff;
  for (let round = 0; round < 4; round++) {
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
  }
  return v1 ^ v3;
}
