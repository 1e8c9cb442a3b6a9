import { upperMask } from "../../src/engine/question/fold.ts";

/** MurmurHash3's mixing of a name's words and a type: fast, but collisions can be prepared. */
export function murmurLike(view: DataView, at: number, length: number, type: number): number {
  let hash = 0x5eed;
  let next = at;
  for (const whole = at + (length & ~3); next < whole; next += 4) {
    const word = view.getInt32(next, true);
    hash = mix(hash, word | upperMask(word));
  }
  const word = view.getInt32(next, true) & ((1 << ((length & 3) << 3)) - 1);
  hash = mix(mix(hash, word | upperMask(word)), type);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  const h = hash ^ k;
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}
