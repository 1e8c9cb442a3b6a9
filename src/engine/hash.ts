/**
 * Hashing of names, four bytes a step.
 *
 * Case folding works on four octets at once: the high bit of each byte of `upperMask` tells whether
 * that octet is one of A to Z. Length octets of labels (at most 63) are below `A`, so the fold leaves
 * the structure of a wire-form name alone.
 */

/** The octets of `word` that are upper-case letters, as 0x20 in each such octet. */
export function upperMask(word: number): number {
  const low = word & 0x7f7f7f7f;
  const fromA = low + 0x3f3f3f3f;
  const beyondZ = low + 0x25252525;
  return ((fromA ^ beyondZ) & ~word & 0x80808080) >>> 2;
}

/** One step of the hash (MurmurHash3's mixing of a word). */
export function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  let h = hash ^ Math.imul(k, 0x1b873593);
  h = (h << 13) | (h >>> 19);
  return (Math.imul(h, 5) + 0xe6546b64) | 0;
}

/**
 * Last step: every bit of the input reaches every bit of the result. It is a signed number, because
 * V8 keeps one that fits in 32 bits with its sign without an object on the heap.
 */
export function finish(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
