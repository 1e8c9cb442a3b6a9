import assert from "node:assert/strict";
import fc from "fast-check";
import { parseName } from "../../src/dns/name.ts";
import { parseQuery } from "../../src/engine/exchange/query_parser.ts";
import { HashKey, hashOctets } from "../../src/engine/question/keyed_hash.ts";
import { hashQuestion, hashSubnet, readQuestion } from "../../src/engine/question/read.ts";
import {
  collidingNames,
  exchangeOf,
  halfSipHash,
  murmurLike,
  rawQuery,
} from "../support/engine/hashes.ts";
import { seeded } from "../support/run/random.ts";

/** Key 00 01 … 07 and messages 00 01 … of each length, as in the published vectors. */
const REFERENCE_KEY = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7);
const COUNTING = Uint8Array.from({ length: 64 }, (_, i) => i);

const KEY = new HashKey(0x12345678, -0x76543210);

/** HalfSipHash-2-4 by length, `vectors_hsip32` of the authors' https://github.com/veorq/SipHash. */
const VECTORS_2_4: Readonly<Record<number, number>> = {
  ...{ 0: 0x5b9f35a9, 1: 0xb85a4727, 2: 0x03a662fa, 3: 0x04e7fe8a, 4: 0x89466e2a },
  ...{ 7: 0xc563cf8b, 8: 0x8f84b8d0, 16: 0x84acb5d9, 31: 0x1a9f585d, 63: 0x744aea59 },
};

/** HalfSipHash-1-3, the 32-bit vectors of Linux's `siphash_kunit.c`, made with the same reference. */
const VECTORS_1_3: Readonly<Record<number, number>> = {
  ...{ 0: 0x5814c896, 1: 0xe7e864ca, 2: 0xbc4b0e30, 3: 0x01539939, 4: 0x7e059ea6 },
  ...{ 5: 0x88e3d89b, 6: 0xa0080b65, 7: 0x9d38d9d6, 8: 0x577999b1, 16: 0x8b31d501 },
  ...{ 31: 0x08d8791a, 32: 0xbc6dda8d, 63: 0x87178304 },
};

function keyOf(octets: Uint8Array): HashKey {
  const view = new DataView(octets.buffer, octets.byteOffset);
  return new HashKey(view.getInt32(0, true), view.getInt32(4, true));
}

function hashOf(name: Uint8Array, key: HashKey, type = 1): number {
  const exchange = exchangeOf(rawQuery(name, { type }));
  assert.equal(parseQuery(exchange, key), 0);
  return exchange.hash;
}

function fill(hashes: Iterable<number>, buckets: number): Uint32Array {
  const sizes = new Uint32Array(buckets);
  for (const hash of hashes) sizes[hash & (buckets - 1)]!++;
  return sizes;
}

/** Chi-squared per degree of freedom: near 1 for a uniform distribution. */
function unevenness(sizes: Uint32Array): number {
  const mean = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
  return sizes.reduce((sum, size) => sum + (size - mean) ** 2 / mean, 0) / (sizes.length - 1);
}

const octets = (options: fc.IntArrayConstraints) => fc.uint8Array(options);
const hashKey = fc.tuple(fc.integer(), fc.integer()).map(([k0, k1]) => new HashKey(k0, k1));
const wireName = fc.array(octets({ minLength: 1, maxLength: 63 }), { maxLength: 3 })
  .map((labels) => Uint8Array.from([...labels.flatMap((label) => [label.length, ...label]), 0]));

Deno.test("the hash matches the published vectors", () => {
  for (const [length, expected] of Object.entries(VECTORS_2_4)) {
    const message = COUNTING.subarray(0, Number(length));
    assert.equal(halfSipHash({ c: 2, d: 4 }, REFERENCE_KEY, message), expected, length);
  }
  const key = keyOf(REFERENCE_KEY);
  for (const [length, expected] of Object.entries(VECTORS_1_3)) {
    assert.equal(hashOctets(key, COUNTING, 0, Number(length)) >>> 0, expected, length);
  }
});

Deno.test("the hash equals a direct implementation of its definition, at every offset", () => {
  const bytes = octets({ maxLength: 300 });
  fc.assert(
    fc.property(octets({ minLength: 8, maxLength: 8 }), bytes, fc.nat(9), (key, message, at) => {
      const placed = new Uint8Array(at + message.length);
      placed.set(message, at);
      const hash = hashOctets(keyOf(key), placed, at, message.length);
      assert.equal(hash, hash | 0);
      assert.equal(hash >>> 0, halfSipHash({ c: 1, d: 3 }, key, message));
    }),
  );
});

Deno.test("a question's hash covers type, DO, CD, the name in lower case, and the class", () => {
  fc.assert(
    fc.property(
      wireName,
      fc.integer({ min: 1, max: 0xffff }),
      fc.oneof(fc.constant(1), fc.integer({ min: 0, max: 0xffff })),
      fc.boolean(),
      fc.boolean(),
      hashKey,
      (name, type, qclass, dnssecOk, checkingDisabled, key) => {
        const flags = checkingDisabled ? 0x0110 : 0x0100;
        const exchange = exchangeOf(rawQuery(name, { type, qclass, flags }));
        exchange.flags = flags;
        exchange.dnssecOk = dnssecOk;
        assert.equal(readQuestion(exchange), exchange.length);
        hashQuestion(exchange, key);
        const lower = name.map((octet) => octet >= 0x41 && octet <= 0x5a ? octet + 32 : octet);
        const bits = (dnssecOk ? 1 : 0) | (checkingDisabled ? 2 : 0);
        const hashed = Uint8Array.from([type & 255, type >> 8, bits, 0, ...lower]);
        const ofName = hashOctets(key, hashed, 0, hashed.length);
        const ofClass = Uint8Array.from([0, 8, 16, 24].map((shift) => ofName >> shift));
        const other = Uint8Array.of(...ofClass, qclass >> 8, qclass);
        assert.equal(exchange.hash, qclass === 1 ? ofName : hashOctets(key, other, 0, 6));
        assert.equal(exchange.mixedCase, name.some((octet, i) => octet !== lower[i]));
      },
    ),
  );
});

Deno.test("names with one MurmurHash under every seed have different hashes", () => {
  const names = collidingNames(4096, parseName("evil.test."));
  assert.equal(new Set(names.map(String)).size, 4096);
  for (const seed of [0, 1, 0x5eed, -7]) {
    assert.equal(new Set(names.map((name) => murmurLike(seed, name, 1))).size, 1);
  }
  const random = seeded(4096);
  for (let i = 0; i < 8; i++) {
    const key = HashKey.draw(random);
    const hashes = names.map((name) => hashOf(name, key));
    // Of 4,096 random numbers of 32 bits, two are equal once in 500 times.
    assert.ok(new Set(hashes).size >= 4094);
    const sizes = fill(hashes, 4096);
    assert.ok(Math.max(...sizes) <= 12, `${Math.max(...sizes)} in one bucket`);
    assert.ok(Math.abs(unevenness(sizes) - 1) < 0.15, String(unevenness(sizes)));
  }
});

Deno.test("names that share a bucket under one key are spread under another", () => {
  const names = Array.from({ length: 32_768 }, (_, i) => parseName(`n${i}.example.org.`));
  fc.assert(
    fc.property(hashKey, hashKey, fc.nat(1023), (known, secret, bucket) => {
      fc.pre(known.k0 !== secret.k0 || known.k1 !== secret.k1);
      const family = names.filter((name) => (hashOf(name, known) & 1023) === bucket);
      assert.ok(family.length > 2, `${family.length} names to a bucket`);
      const sizes = fill(family.map((name) => hashOf(name, secret)), 1024);
      assert.ok(Math.max(...sizes) <= 8, `${Math.max(...sizes)} of ${family.length} together`);
    }),
    { numRuns: 10, examples: [[new HashKey(1, 2), new HashKey(0, 2), 7]] },
  );
});

Deno.test("names with equal hashes under one key have different ones under another", () => {
  const random = seeded(20_261);
  const [known, secret] = [HashKey.draw(random), HashKey.draw(random)];
  const seen = new Map<number, Uint8Array>();
  let pairs = 0;
  for (let i = 0; i < 200_000; i++) {
    const name = parseName(`n${i}.example.org.`);
    const hash = hashOf(name, known);
    const other = seen.get(hash);
    if (other === undefined) {
      seen.set(hash, name);
      continue;
    }
    pairs++;
    assert.notEqual(hashOf(name, secret), hashOf(other, secret));
  }
  assert.ok(pairs >= 1 && pairs <= 14, `${pairs} pairs`);
});

const KINDS: Readonly<Record<string, (i: number) => number>> = {
  "numbered names": (i) => hashOfText(`host-${i}.example.org.`),
  "one name of many types": (i) => hashOfText("example.org.", i + 1),
  "one name of many classes": (i) => hashOfText("example.org.", 1, i + 2),
  "reverse names": (i) => hashOfText(`${i & 255}.${i >> 8}.in-addr.arpa.`),
  "IPv4 networks": (i) => hashOctets(KEY, Uint8Array.of(10, i >> 8, i & 255, 1), 0, 4),
  "IPv6 networks": (i) =>
    hashOctets(KEY, Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, i >> 8, i & 255), 0, 8),
  "client subnets of one name": (i) => {
    const exchange = exchangeOf(Uint8Array.of(0, 1, 24, 0, 10, i >> 8, i & 255));
    exchange.hash = 0x5eed;
    exchange.ecsLength = 7;
    return hashSubnet(exchange, KEY);
  },
};

for (const [title, make] of Object.entries(KINDS)) {
  Deno.test(`hashes spread evenly over buckets: ${title}`, () => {
    const hashes = Array.from({ length: 32_768 }, (_, i) => make(i));
    for (const shift of [0, 22]) {
      const value = unevenness(fill(hashes.map((hash) => hash >>> shift), 1024));
      assert.ok(Math.abs(value - 1) < 6 * Math.sqrt(2 / 1023), `shift ${shift}: ${value}`);
    }
  });
}

function hashOfText(name: string, type = 1, qclass = 1): number {
  const exchange = exchangeOf(rawQuery(parseName(name), { type, qclass }));
  readQuestion(exchange);
  hashQuestion(exchange, KEY);
  return exchange.hash;
}
