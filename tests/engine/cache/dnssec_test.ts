import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type * as codec from "dns-packet";
import { a, type Decoded, responseBytes, soa } from "../../support/messages/messages.ts";
import { CacheWorld, NAME, replying } from "../../support/simulation/cache_world.ts";
import { type Behaviour, onlyAnswer, WALL_MS } from "../../support/simulation/simulation.ts";

const NOW = WALL_MS / 1000;

function rrsig(name: string, typeCovered: string, from = NOW - 3600, until = NOW + 3600) {
  return {
    type: "RRSIG",
    name,
    ttl: 300,
    class: "IN",
    data: {
      typeCovered,
      algorithm: 13,
      labels: 3,
      originalTTL: 300,
      expiration: until,
      inception: from,
      keyTag: 1,
      signersName: "example.org",
      signature: Buffer.alloc(64, 7),
    },
  } as unknown as codec.Answer;
}

const nsec = {
  type: "NSEC",
  name: NAME,
  ttl: 300,
  class: "IN",
  data: { nextDomain: "z.example.org", rrtypes: ["A", "RRSIG"] },
} as unknown as codec.Answer;

const signed = { answers: [a(NAME, "192.0.2.1"), rrsig(NAME, "A")] };
const DO = { edns: 1232, dnssecOk: true };

const types = ({ answers, authorities }: Decoded) => [
  ...answers!.map(({ type }) => type),
  ...authorities!.map(({ type }) => type),
];

Deno.test("signatures are stored for clients with DO, and removed for others", () => {
  const world = new CacheWorld(replying(signed));
  for (let i = 0; i < 2; i++) {
    assert.deepEqual(types(world.ask()), ["A"]);
    assert.deepEqual(types(world.ask(DO)), ["A", "RRSIG"]);
  }
  assert.equal(world.upstreamQueries, 2);
});

Deno.test("clients without DO that wait for an answer get it without signatures", () => {
  const world = new CacheWorld(replying(signed, 20));
  const asked = Array.from({ length: 3 }, () => world.send());
  world.run(50);
  for (const one of asked) assert.deepEqual(types(onlyAnswer(one)), ["A"]);
});

Deno.test("clients without DO get the DNSSEC records that they ask for by type", () => {
  const world = new CacheWorld(replying({ answers: [rrsig(NAME, "A")] }));
  assert.deepEqual(types(world.ask({ type: "RRSIG" })), ["RRSIG"]);
});

Deno.test("only clients with DO get the proof of a denial", () => {
  const world = new CacheWorld(replying({
    rcode: 3,
    authorities: [soa("example.org"), rrsig("example.org", "SOA"), nsec, rrsig(NAME, "NSEC")],
  }));
  assert.deepEqual(types(world.ask()), ["SOA"]);
  const proven = world.ask(DO);
  assert.deepEqual(types(proven), ["SOA", "RRSIG", "NSEC", "RRSIG"]);
});

for (
  const { title, from, until, expected } of [
    { title: "within its validity period", from: NOW - 10, until: NOW + 100, expected: 1 },
    { title: "after its expiration", from: NOW - 100, until: NOW - 10, expected: 2 },
    { title: "before its inception", from: NOW + 100, until: NOW + 200, expected: 2 },
  ]
) {
  Deno.test(`a signature ${title} is ${expected === 1 ? "stored" : "passed on, but not stored"}`, () => {
    const answers = [a(NAME, "192.0.2.1"), rrsig(NAME, "A", from, until)];
    const world = new CacheWorld(replying({ answers }));
    for (let i = 0; i < 2; i++) {
      const answer = world.ask(DO);
      assert.deepEqual(types(answer), ["A", "RRSIG"]);
    }
    assert.equal(world.upstreamQueries, expected);
  });
}

// RFC 6840 sections 5.7 and 5.8: AD is for clients that set AD or DO.
const RD = 0x0100;
const AD = 0x0020;
const CD = 0x0010;
const validating: Behaviour = (query) => {
  const bytes = responseBytes(query, { answers: [a(NAME, "192.0.2.1")] });
  bytes[3]! |= AD;
  return [{ bytes }];
};
for (
  const { title, options, expected } of [
    { title: "nothing", options: {}, expected: false },
    { title: "AD", options: { flags: RD | AD }, expected: true },
    { title: "DO", options: DO, expected: true },
    { title: "OPT alone", options: { edns: 1232 }, expected: false },
    { title: "CD", options: { flags: RD | CD }, expected: false },
    { title: "CD and AD", options: { flags: RD | CD | AD }, expected: true },
  ] as { title: string; options: { flags?: number }; expected: boolean }[]
) {
  Deno.test(`a client that sends ${title} gets the validating upstream's AD: ${expected}`, () => {
    const world = new CacheWorld(validating);
    for (let i = 0; i < 2; i++) {
      const answer = world.ask(options);
      assert.equal(answer.flag_ad, expected);
      assert.equal(answer.flag_cd, ((options.flags ?? 0) & CD) !== 0);
    }
    assert.equal(world.upstreamQueries, 1);
  });
}

Deno.test("an entry is served with AD only to clients that set AD", () => {
  const world = new CacheWorld(validating);
  assert.equal(world.ask().flag_ad, false);
  assert.equal(world.ask({ flags: RD | AD }).flag_ad, true);
  assert.equal(world.ask().flag_ad, false);
  assert.equal(world.upstreamQueries, 1);
});
