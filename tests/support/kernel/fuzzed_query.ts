import { type Kind, KINDS, TTLS, wireName } from "./answers.ts";

/** A name that is asked again and again, in wire format. */
export interface FuzzedName {
  readonly wire: Uint8Array;
  readonly kind: Kind;
}

type Dice = () => number;

const DOMAINS = ["kernel.example", "x", `${"deep.".repeat(18)}${"l".repeat(63)}.example`];
/** Shares of the kinds, most of which may be published. */
const KIND_SHARES: Kind[] = [..."aaaaaaaaaaaaaaqqqqqmmmcccttssvvnnnxxxfrwww"] as Kind[];
const TTL_SHARES = [..."lllllllmmmssstz"] as (keyof typeof TTLS)[];
const OPTIONS: readonly (readonly number[])[] = [
  [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8],
  [0, 3, 0, 0],
  [0, 8, 0, 7, 0, 1, 24, 0, 10, 0, 0],
  [0, 10, 0, 255],
  [0, 12, 0, 3, 0, 0, 0],
  [0],
];
const SIZES = [0, 100, 511, 512, 513, 700, 1024, 1232, 1233, 1400, 4096, 65535];

/** Names of all kinds; the first are asked most. */
export function fuzzedNames(count: number, dice: Dice): FuzzedName[] {
  return Array.from({ length: count }, (_, i) => {
    const kind = pick(KIND_SHARES, dice);
    const ttl = pick(TTL_SHARES, dice);
    const domain = dice() % 8 === 0 ? pick(DOMAINS, dice) : DOMAINS[0];
    return { wire: wireName(`${kind}${ttl}${i}.${domain}`), kind };
  });
}

/** A message, mostly a query for one of the names; about half deviate from what stub resolvers send. */
export function fuzzedQuery(id: number, names: readonly FuzzedName[], dice: Dice): Uint8Array {
  const one = (times: number) => dice() % times === 0;
  // Squared, so that the first names are asked most.
  const name = names[Math.floor((dice() / 2 ** 32) ** 2 * names.length)]!;
  const wire = name.wire.slice();
  if (one(3)) spell(wire, dice);
  if (one(100)) wire[dice() % wire.length] = dice() & 255;

  let flags = 0x0100;
  if (one(5)) flags ^= pick([0x0100, 0x10, 0x10, 0x10, 0x20, 0x20, 0x20, 0x40, 0x80], dice);
  if (one(50)) flags ^= pick([0x200, 0x400, 0x8000, 0x0800, 0x7800, 1, 0xf], dice);
  const type = one(20) ? pick([1, 2, 5, 6, 16, 28, 33, 41, 43, 46, 65, 252, 255], dice) : KINDS[
    name.kind
  ];
  const qclass = one(60) ? pick([0, 3, 4, 254, 255], dice) : 1;

  const counts = [1, 0, 0, 0];
  const tail: number[] = [];
  if (one(2)) {
    counts[3] = 1;
    const options = one(10) ? pick(OPTIONS, dice) : [];
    const size = pick(SIZES, dice);
    const version = one(40) ? dice() & 255 : 0;
    const bits = one(40) ? dice() & 0xffff : one(3) ? 0x8000 : 0;
    const length = one(100) ? dice() & 15 : options.length;
    tail.push(0, 0, 41, size >> 8, size & 255, one(60) ? 1 : 0, version);
    tail.push(bits >> 8, bits & 255, length >> 8, length & 255, ...options);
    if (one(60)) tail[0] = dice() & 255;
  }
  if (one(40)) counts[dice() % 4]! += 1 + dice() % 2;

  let bytes = Uint8Array.from([
    ...[id >> 8, id & 255, flags >> 8, flags & 255],
    ...counts.flatMap((count) => [0, count]),
    ...wire,
    ...[type >> 8, type & 255, qclass >> 8, qclass & 255],
    ...tail,
  ]);
  if (one(50)) bytes = bytes.slice(0, dice() % bytes.length);
  if (one(50)) bytes = Uint8Array.from([...bytes, ...octets(1 + dice() % 20, dice)]);
  if (one(200)) bytes = Uint8Array.from([...bytes.subarray(0, 2), ...octets(dice() % 60, dice)]);
  if (one(100) && bytes.length > 2) bytes[2 + dice() % (bytes.length - 2)] = dice() & 255;
  // Answers are told apart by it.
  if (bytes.length >= 2) bytes.set([id >> 8, id & 255]);
  return bytes;
}

/** Spells letters at random, as 0x20 encoding does. */
function spell(wire: Uint8Array, dice: Dice): void {
  for (let i = 0; i < wire.length; i++) {
    const letter = wire[i]! | 0x20;
    // Lengths are at most 63, below the letters.
    if (letter >= 0x61 && letter <= 0x7a && wire[i]! > 63 && dice() & 1) wire[i]! ^= 0x20;
  }
}

function octets(count: number, dice: Dice): number[] {
  return Array.from({ length: count }, () => dice() & 255);
}

function pick<T>(from: readonly T[], dice: Dice): T {
  return from[dice() % from.length]!;
}
