import { Exchange } from "../../../src/engine/exchange/exchange.ts";
import { Memory } from "../../../src/engine/memory.ts";
import { upperMask } from "../../../src/engine/question/fold.ts";
import { seeded } from "../run/random.ts";

/**
 * HalfSipHash-c-d with a 32-bit tag, a BigInt reference written from its definition.
 * @param key - eight octets
 */
export function halfSipHash(
  rounds: { c: number; d: number },
  key: Uint8Array,
  message: Uint8Array,
): number {
  const word = (octets: Uint8Array, at: number) =>
    [0, 1, 2, 3].reduce((sum, i) => sum | (BigInt(octets[at + i] ?? 0) << BigInt(8 * i)), 0n);
  const add = (a: bigint, b: bigint) => (a + b) & 0xffffffffn;
  const rotate = (a: bigint, by: bigint) => ((a << by) | (a >> (32n - by))) & 0xffffffffn;
  const [k0, k1] = [word(key, 0), word(key, 4)];
  let v = [k0, k1, k0 ^ 0x6c796765n, k1 ^ 0x74656462n];
  const mix = (times: number) => {
    for (let i = 0; i < times; i++) {
      let [a, b, c, d] = v as [bigint, bigint, bigint, bigint];
      [a, c] = [add(a, b), add(c, d)];
      [b, d] = [rotate(b, 5n) ^ a, rotate(d, 8n) ^ c];
      a = rotate(a, 16n);
      [a, c] = [add(a, d), add(c, b)];
      [d, b] = [rotate(d, 7n) ^ a, rotate(b, 13n) ^ c];
      v = [a, b, rotate(c, 16n), d];
    }
  };
  const absorb = (block: bigint) => {
    v[3]! ^= block;
    mix(rounds.c);
    v[0]! ^= block;
  };
  const whole = message.length & ~3;
  for (let at = 0; at < whole; at += 4) absorb(word(message, at));
  absorb(word(message.subarray(whole), 0) | (BigInt(message.length & 255) << 24n));
  v[2]! ^= 0xffn;
  mix(rounds.d);
  return Number(v[1]! ^ v[3]!);
}

/** MurmurHash3's mixing of words, from a secret seed. */
export function murmurLike(seed: number, name: Uint8Array, type: number): number {
  const mix = (hash: number, word: number) => {
    const h = hash ^ mixed(word);
    return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
  };
  const padded = new Uint8Array((name.length + 3) & ~3);
  padded.set(name);
  const view = new DataView(padded.buffer);
  let hash = seed;
  for (let at = 0; at < padded.length; at += 4) {
    const word = view.getInt32(at, true);
    hash = mix(hash, word | upperMask(word));
  }
  hash = mix(hash, type);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

function mixed(word: number): number {
  const k = Math.imul(word, 0xcc9e2d51);
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593);
}

function unmixed(value: number): number {
  const k = Math.imul(value, inverse(0x1b873593));
  return Math.imul((k << 17) | (k >>> 15), inverse(0xcc9e2d51));
}

/** Inverse of an odd number modulo 2^32 (Newton's iteration). */
function inverse(odd: number): number {
  let x = odd;
  for (let i = 0; i < 5; i++) x = Math.imul(x, 2 - Math.imul(odd, x));
  return x;
}

/**
 * Up to 2^18 names in wire form with one `murmurLike` hash under every seed.
 * A flip of bit 18 after mixing one word becomes, by rotation and multiplication, a flip of bit
 * 31, which a flip of bit 31 after mixing the next word reverts. So each pair of words has a
 * second form with the same effect, and n pairs make 2^n names.
 * @param zone - in wire form
 */
export function collidingNames(count: number, zone: Uint8Array): Uint8Array[] {
  const random = seeded(777);
  const pairs: [plain: [number, number], flipped: [number, number]][] = [];
  while (pairs.length < 18) {
    const [a, b] = [random() | 0, random() | 0];
    const flipped: [number, number] = [
      unmixed(mixed(a) ^ (1 << 18)),
      unmixed(mixed(b) ^ (1 << 31)),
    ];
    // Upper-case letters would be folded.
    if ([a, b, ...flipped].every((word) => upperMask(word) === 0)) pairs.push([[a, b], flipped]);
  }
  return Array.from({ length: count }, (_, n) => {
    const name = new Uint8Array(3 * 52 + zone.length);
    const view = new DataView(name.buffer);
    let at = 0;
    pairs.forEach((forms, i) => {
      if (i % 6 === 0) {
        name.set([51, 0x78, 0x78, 0x78], at);
        at += 4;
      }
      for (const word of forms[(n >> i) & 1]!) {
        view.setInt32(at, word, true);
        at += 4;
      }
    });
    name.set(zone, at);
    return name;
  });
}

/** A query for a name in wire form. */
export function rawQuery(
  name: Uint8Array,
  { type = 1, qclass = 1, id = 1, flags = 0x0100 } = {},
): Uint8Array {
  const header = [id >> 8, id & 255, flags >> 8, flags & 255, 0, 1, 0, 0, 0, 0, 0, 0];
  return Uint8Array.from([...header, ...name, type >> 8, type & 255, qclass >> 8, qclass & 255]);
}

/** An exchange with an unread message. */
export function exchangeOf(message: Uint8Array): Exchange {
  const memory = new Memory(message.length + 16);
  memory.bytes.set(message);
  const exchange = new Exchange(memory);
  exchange.length = message.length;
  return exchange;
}
