import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type * as codec from "dns-packet";
import {
  a,
  type Decoded,
  queryBytes,
  responseBytes,
  soa,
} from "../../support/messages/messages.ts";
import {
  type Behaviour,
  onlyAnswer,
  Simulation,
  WALL_MS,
} from "../../support/simulation/simulation.ts";

const NAME = "www.example.org";
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

const signed: Behaviour = (query) => [{
  bytes: responseBytes(query, { answers: [a(NAME, "192.0.2.1"), rrsig(NAME, "A")] }),
}];

function start(behaviour: Behaviour): Simulation {
  const simulation = new Simulation(". {\n cache\n forward . 10.0.0.1\n}");
  simulation.upstream("10.0.0.1:53", behaviour);
  return simulation;
}

function ask(simulation: Simulation, options: Partial<Parameters<typeof queryBytes>[0]> = {}) {
  const asked = simulation.ask(queryBytes({ name: NAME, ...options }));
  simulation.run(50);
  return onlyAnswer(asked);
}

const types = ({ answers, authorities }: Decoded) => [
  ...answers!.map(({ type }) => type),
  ...authorities!.map(({ type }) => type),
];

Deno.test("signatures are kept for clients with DO and not shown to others", () => {
  const simulation = start(signed);
  for (let i = 0; i < 2; i++) {
    assert.deepEqual(types(ask(simulation)), ["A"]);
    assert.deepEqual(types(ask(simulation, { edns: 1232, dnssecOk: true })), ["A", "RRSIG"]);
  }
  assert.equal(simulation.seen.length, 2);
});

Deno.test("everybody who waits for an answer without DO gets it without signatures", () => {
  const simulation = start((query, transport) => {
    const [reply] = signed(query, transport) as { bytes: Uint8Array }[];
    return [{ ...reply!, delayMs: 20 }];
  });
  const asked = Array.from({ length: 3 }, () => simulation.ask(queryBytes({ name: NAME })));
  simulation.run(50);
  for (const one of asked) assert.deepEqual(types(onlyAnswer(one)), ["A"]);
});

Deno.test("DNSSEC records that were asked for are shown without DO", () => {
  const simulation = start((query) => [{
    bytes: responseBytes(query, { answers: [rrsig(NAME, "A")] }),
  }]);
  assert.deepEqual(types(ask(simulation, { type: "RRSIG" })), ["RRSIG"]);
});

Deno.test("the proof of a denial is for clients with DO", () => {
  const simulation = start((query) => [{
    bytes: responseBytes(query, {
      rcode: 3,
      authorities: [soa("example.org"), rrsig("example.org", "SOA"), nsec, rrsig(NAME, "NSEC")],
    }),
  }]);
  assert.deepEqual(types(ask(simulation)), ["SOA"]);
  const proven = ask(simulation, { edns: 1232, dnssecOk: true });
  assert.deepEqual(types(proven), ["SOA", "RRSIG", "NSEC", "RRSIG"]);
});

for (
  const { title, from, until, expected } of [
    { title: "in time", from: NOW - 10, until: NOW + 100, expected: 1 },
    { title: "past its end", from: NOW - 100, until: NOW - 10, expected: 2 },
    { title: "before its beginning", from: NOW + 100, until: NOW + 200, expected: 2 },
  ]
) {
  Deno.test(`a signature ${title}: ${expected === 1 ? "kept" : "passed on, but not kept"}`, () => {
    const simulation = start((query) => [{
      bytes: responseBytes(query, {
        answers: [a(NAME, "192.0.2.1"), rrsig(NAME, "A", from, until)],
      }),
    }]);
    for (let i = 0; i < 2; i++) {
      const answer = ask(simulation, { edns: 1232, dnssecOk: true });
      assert.deepEqual(types(answer), ["A", "RRSIG"]);
    }
    assert.equal(simulation.seen.length, expected);
  });
}

// RFC 6840 sections 5.7 and 5.8: AD is for those who set AD or DO.
const RD = 0x0100;
const AD = 0x0020;
const CD = 0x0010;
for (
  const { title, options, expected } of [
    { title: "nothing", options: {}, expected: false },
    { title: "AD", options: { flags: RD | AD }, expected: true },
    { title: "DO", options: { edns: 1232, dnssecOk: true }, expected: true },
    { title: "OPT alone", options: { edns: 1232 }, expected: false },
    { title: "CD", options: { flags: RD | CD }, expected: false },
    { title: "CD and AD", options: { flags: RD | CD | AD }, expected: true },
  ]
) {
  Deno.test(`AD of an upstream that validates, to a client that sent ${title}: ${expected}`, () => {
    const simulation = start((query) => {
      const bytes = responseBytes(query, { answers: [a(NAME, "192.0.2.1")] });
      bytes[3]! |= AD;
      return [{ bytes }];
    });
    for (let i = 0; i < 2; i++) {
      const answer = ask(simulation, options);
      assert.equal(answer.flag_ad, expected);
      assert.equal(answer.flag_cd, ((options.flags ?? 0) & CD) !== 0);
    }
    assert.equal(simulation.seen.length, 1);
  });
}

Deno.test("an entry serves those who set AD and those who did not, each as he asked", () => {
  const simulation = start((query) => {
    const bytes = responseBytes(query, { answers: [a(NAME, "192.0.2.1")] });
    bytes[3]! |= AD;
    return [{ bytes }];
  });
  assert.equal(ask(simulation).flag_ad, false);
  assert.equal(ask(simulation, { flags: RD | AD }).flag_ad, true);
  assert.equal(ask(simulation).flag_ad, false);
  assert.equal(simulation.seen.length, 1);
});
