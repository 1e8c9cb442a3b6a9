import { upperMask } from "../../src/engine/question/fold.ts";
import type { HashKey } from "../../src/engine/question/keyed_hash.ts";

/**
 * SipHash-1-3 of a type and a name. 64-bit words are split, to avoid allocation.
 * The key's upper half is zero; only the time matters.
 */
export function sip13(
  view: DataView,
  at: number,
  length: number,
  type: number,
  key: HashKey,
): number {
  let a = key.k0 ^ 0x70736575, A = key.k1 ^ 0x736f6d65;
  let b = 0x6e646f6d, B = 0x646f7261;
  let c = key.k0 ^ 0x6e657261, C = key.k1 ^ 0x6c796765;
  let d = 0x79746573, D = 0x74656462;
  // Type, name and length, in blocks of eight octets.
  const blocks = (length + 4 + 8) >> 3;
  for (let i = 0; i < blocks + 3; i++) {
    let m = 0, M = 0;
    if (i < blocks) {
      m = i === 0 ? type : fold(view, at, 8 * i - 4, length);
      M = fold(view, at, 8 * i, length);
      if (i === blocks - 1) M |= (length + 4) << 24;
    } else if (i === blocks) {
      c ^= 0xff;
    }
    d ^= m;
    D ^= M;
    // Each line: one step of SipRound, low and high half, with carry.
    let low = (a + b) | 0;
    A = (A + B + (low >>> 0 < a >>> 0 ? 1 : 0)) | 0;
    a = low;
    let t = (b << 13) | (B >>> 19);
    B = ((B << 13) | (b >>> 19)) ^ A;
    b = t ^ a;
    t = a;
    a = A;
    A = t;
    low = (c + d) | 0;
    C = (C + D + (low >>> 0 < c >>> 0 ? 1 : 0)) | 0;
    c = low;
    t = (d << 16) | (D >>> 16);
    D = ((D << 16) | (d >>> 16)) ^ C;
    d = t ^ c;
    low = (a + d) | 0;
    A = (A + D + (low >>> 0 < a >>> 0 ? 1 : 0)) | 0;
    a = low;
    t = (d << 21) | (D >>> 11);
    D = ((D << 21) | (d >>> 11)) ^ A;
    d = t ^ a;
    low = (c + b) | 0;
    C = (C + B + (low >>> 0 < c >>> 0 ? 1 : 0)) | 0;
    c = low;
    t = (b << 17) | (B >>> 15);
    B = ((B << 17) | (b >>> 15)) ^ C;
    b = t ^ c;
    t = c;
    c = C;
    C = t;
    a ^= m;
    A ^= M;
  }
  return a ^ b ^ c ^ d;
}

/** Four octets of the name in lower case, padded with zeros. */
function fold(view: DataView, at: number, from: number, length: number): number {
  if (from >= length) return 0;
  let word = view.getInt32(at + from, true);
  if (from + 4 > length) word &= (1 << ((length & 3) << 3)) - 1;
  return word | upperMask(word);
}
