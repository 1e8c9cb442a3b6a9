import assert from "node:assert/strict";
import { DISCARD_MS } from "../../../src/engine/clients/responses.ts";
import { COUNTER } from "../../../src/engine/counters.ts";
import { DEFAULT_RATE } from "../../../src/engine/response/limiter.ts";
import { a, decode, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import {
  type Asked,
  type Behaviour,
  frame,
  onlyAnswer,
  Simulation,
} from "../../support/simulation/simulation.ts";

const VICTIM = "203.0.113.7";
const CLIENT = "192.0.2.1";

const MANY = Array.from({ length: 30 }, (_, i) => `198.51.100.${i}`);

/** Answers of about 1,000 octets for names that begin with "large", short ones for others. */
const after = (delayMs: number): Behaviour => (query) => {
  const { name } = query.questions![0]!;
  const addresses = name.startsWith("large") ? MANY : MANY.slice(0, 1);
  return [{
    bytes: responseBytes(query, { answers: addresses.map((data) => a(name, data, 3600)) }),
    delayMs,
  }];
};

function start(directives = "", delayMs = 1): Simulation {
  const simulation = new Simulation(`. {\n ${directives}\n cache\n forward . 10.0.0.1\n}`);
  simulation.upstream("10.0.0.1:53", after(delayMs));
  return simulation;
}

function ask(simulation: Simulation, name: string, client = CLIENT, edns = 1232): Asked {
  return simulation.ask(queryBytes({ name, edns }), 0, client);
}

const truncated = (all: readonly Asked[]) => all.filter((one) => onlyAnswer(one).flag_tc).length;
const counter = (simulation: Simulation, place: number) => simulation.counters.values[place];

Deno.test("a late answer is cached and counted, but not sent over UDP", () => {
  const simulation = start("", DISCARD_MS + 50);
  const asked = ask(simulation, "www.example.org");
  const stream = simulation.openStream();
  stream.send(frame(queryBytes({ name: "www.example.org" })));
  // A second query joins the question, and has waited for less.
  simulation.run(1500);
  const again = ask(simulation, "www.example.org");
  simulation.run(1000);
  assert.equal(asked.answers.length, 0);
  assert.equal(onlyAnswer(again).answers!.length, 1);
  assert.equal(decode(stream.received[0]!).answers!.length, 1);
  assert.equal(counter(simulation, COUNTER.DISCARDED), 1);
  assert.equal(simulation.engine.waiting, 0);
  assert.equal(simulation.keptCount, 0);
  const sent = simulation.seen.length;
  const later = ask(simulation, "www.example.org");
  assert.equal(onlyAnswer(later).answers!.length, 1);
  assert.equal(later.answers[0]!.atMs, later.atMs);
  assert.equal(simulation.seen.length, sent);
});

Deno.test("an answer for a removed listener is not discarded", () => {
  const block = (zone: string) => `${zone} {\n forward . 10.0.0.1\n}\n`;
  const simulation = new Simulation(block(".:53") + block(".:54"));
  simulation.upstream("10.0.0.1:53", after(100));
  const asked = simulation.ask(queryBytes({ name: "www.example.org" }), 1);
  simulation.reload(block(".:53"));
  simulation.run(200);
  assert.equal(onlyAnswer(asked).answers!.length, 1);
});

Deno.test("a failure is sent however late, because it is not larger than the query", () => {
  const simulation = start();
  simulation.upstream("10.0.0.1:53", () => []);
  const asked = ask(simulation, "www.example.org");
  simulation.run(6000);
  assert.equal(onlyAnswer(asked).rcode, "SERVFAIL");
  const { bytes, atMs } = asked.answers[0]!;
  assert.ok(atMs - asked.atMs > DISCARD_MS);
  assert.ok(bytes.length <= asked.bytes.length + 6);
  assert.equal(counter(simulation, COUNTER.DISCARDED), 0);
});

for (
  const [discard, delayMs, answers] of [
    ["1.9s", DISCARD_MS - 1, 1],
    ["500ms", 600, 0],
    ["3s", 1950, 1],
    ["0", 1950, 1],
  ] as const
) {
  Deno.test(`discard ${discard}: ${answers} answers after ${delayMs} ms`, () => {
    const simulation = start(`timeouts {\n discard ${discard}\n }`, delayMs);
    const asked = ask(simulation, "www.example.org");
    simulation.run(4000);
    assert.equal(asked.answers.length, answers);
    assert.equal(counter(simulation, COUNTER.DISCARDED), 1 - answers);
  });
}

Deno.test("large answers above the rate are sent without records, not larger than the query", () => {
  const simulation = start();
  ask(simulation, "large.example.org");
  simulation.run(2000);
  const { perSecond } = DEFAULT_RATE;
  const flood = Array.from({ length: 3 * perSecond }, () => ask(simulation, "large.example.org"));
  assert.equal(truncated(flood), 2 * perSecond);
  assert.equal(counter(simulation, COUNTER.LIMITED), 2 * perSecond);
  for (const { bytes, answers } of flood.slice(perSecond)) {
    const answer = decode(answers[0]!.bytes);
    assert.equal(answer.answers!.length + answer.authorities!.length, 0);
    assert.deepEqual(answer.questions, decode(bytes).questions);
    assert.ok(answers[0]!.bytes.length <= bytes.length);
  }
  ask(simulation, "www.example.org");
  simulation.run(2);
  assert.equal(onlyAnswer(ask(simulation, "www.example.org")).flag_tc, false);
  const stream = simulation.openStream();
  stream.send(frame(queryBytes({ name: "large.example.org" })));
  assert.equal(decode(stream.received[0]!).answers!.length, MANY.length);
  assert.equal(truncated([ask(simulation, "large.example.org", "192.0.2.2")]), 0);
  simulation.run(500);
  const half = Array.from({ length: perSecond }, () => ask(simulation, "large.example.org"));
  assert.ok(Math.abs(truncated(half) - perSecond / 2) <= 1, `${truncated(half)} truncated`);
});

Deno.test("a limited answer has no options", () => {
  const simulation = start(
    "nsid a-name-that-is-longer-than-the-whole-query-that-asked-for-it\n" +
      "rrl {\n responses-per-second 1\n }",
  );
  ask(simulation, "large.example.org");
  simulation.run(2000);
  const ednsOptions = [{ code: 3, data: new Uint8Array(0) }];
  const bytes = queryBytes({ name: "large.example.org", edns: 1232, ednsOptions });
  const [whole, limited] = [simulation.ask(bytes), simulation.ask(bytes)];
  assert.equal(truncated([whole, limited]), 1);
  assert.ok(whole.answers[0]!.bytes.length > 512);
  assert.ok(limited.answers[0]!.bytes.length <= bytes.length);
});

const RATES: [title: string, clients: string[], whole: number, options?: string][] = [
  ["a rate of 5", [CLIENT], 5],
  ["no limit", [CLIENT], 300, "responses-per-second 0"],
  ["IPv4 addresses one by one", ["192.0.2.1", "192.0.2.2"], 10],
  ["IPv4 networks of 24 bits", ["192.0.2.1", "192.0.2.2"], 5, "ipv4-prefix-length 24"],
  ["IPv6 networks of 64 bits", ["2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"], 10],
  [
    "IPv6 networks of 57 bits",
    ["2001:db8::1", "2001:db8:0:7f::1", "2001:db8:0:80::1"],
    10,
    "ipv6-prefix-length 57",
  ],
  ["loopback too", ["127.0.0.1"], 5],
];

for (const [title, clients, whole, options = ""] of RATES) {
  Deno.test(`rrl: ${title}`, () => {
    const rate = options.startsWith("responses") ? "" : "responses-per-second 5\n ";
    const simulation = start(`rrl {\n ${rate}${options}\n }`);
    ask(simulation, "large.example.org", "198.51.100.99");
    simulation.run(2000);
    const all = Array.from(
      { length: 300 },
      (_, i) => ask(simulation, "large.example.org", clients[i % clients.length]),
    );
    assert.equal(all.length - truncated(all), whole);
  });
}

Deno.test("rrl applies to the names of its own block", () => {
  const simulation = new Simulation(
    "a.example {\n rrl {\n responses-per-second 3\n }\n forward . 10.0.0.1\n}\n" +
      ". {\n forward . 10.0.0.1\n}",
  );
  simulation.upstream("10.0.0.1:53", after(1));
  const some = (zone: string, client: string) => {
    const all = Array.from({ length: 10 }, (_, i) => ask(simulation, `large${i}.${zone}`, client));
    simulation.run(10);
    return truncated(all);
  };
  assert.equal(some("a.example", CLIENT), 7);
  assert.equal(some("b.example", "192.0.2.2"), 0);
});

Deno.test("accumulated answers for a victim are few, short, or not larger than the queries", () => {
  // The attacker's server delays all answers, then sends them at once.
  for (const delayMs of [DISCARD_MS - 100, DISCARD_MS + 100]) {
    const simulation = start("", 0);
    const releaseMs = simulation.nowMs + delayMs;
    simulation.upstream(
      "10.0.0.1:53",
      (query) => {
        const [reply] = after(0)(query, "udp") as { bytes: Uint8Array }[];
        return [{ ...reply!, delayMs: releaseMs - simulation.nowMs }];
      },
    );
    const asked = Array.from(
      { length: 5000 },
      (_, i) => ask(simulation, `large${i}.example.net`, VICTIM, 4096),
    );
    simulation.run(10_000);
    const late = asked.flatMap(({ answers }) => answers.filter(({ atMs }) => atMs >= releaseMs));
    // A third of all may wait, and late answers have no records.
    assert.ok(late.length <= 2048, `${late.length} answers`);
    if (delayMs > DISCARD_MS) {
      assert.ok(late.every(({ bytes }) => decode(bytes).answers!.length === 0));
    }
    const octets = late.reduce((sum, { bytes }) => sum + bytes.length, 0);
    // Later names are longer, and an extended error takes six octets.
    const query = asked.at(-1)!.bytes.length + 6;
    assert.ok(
      octets <= DEFAULT_RATE.perSecond * 1232 + late.length * query,
      `${octets} octets at once`,
    );
    assert.equal(simulation.engine.waiting, 0);
    assert.equal(simulation.keptCount, 0);
  }
});

Deno.test("random names of a silent zone do not prevent misses of other clients", () => {
  for (const attackers of [["198.51.100.1"], ["198.51.100.1", "198.51.100.2"]]) {
    const simulation = new Simulation(". {\n cache\n forward . 10.0.0.1\n}");
    simulation.upstream(
      "10.0.0.1:53",
      (query, transport) =>
        query.questions![0]!.name.endsWith("silent.example") ? [] : after(20)(query, transport),
    );
    let next = 0;
    let lost = 0;
    let hits = 0;
    ask(simulation, "www.example.org");
    simulation.run(50);
    for (let round = 0; round < 60; round++) {
      for (const attacker of attackers) {
        for (let i = 0; i < 400; i++) ask(simulation, `r${next++}.silent.example`, attacker);
      }
      const misses = Array.from(
        { length: 5 },
        (_, i) => ask(simulation, `m${round}-${i}.example.org`),
      );
      const hit = ask(simulation, "www.example.org");
      simulation.run(100);
      lost += misses.filter((one) => onlyAnswer(one).answers!.length !== 1).length;
      if (onlyAnswer(hit).answers!.length === 1) hits++;
    }
    assert.equal(lost, 0, `${lost} of 300 lost beside ${attackers.length}`);
    assert.equal(hits, 60);
    assert.ok(counter(simulation, COUNTER.SHED_SHARE)! > 10_000);
    assert.equal(counter(simulation, COUNTER.SHED), 0);
  }
});

Deno.test("a reply over TCP with an unused id is counted and ignored", () => {
  const simulation = new Simulation(". {\n forward . 10.0.0.1 {\n force_tcp\n }\n}");
  simulation.upstream("10.0.0.1:53", (query, transport) => {
    const [reply] = after(1)(query, transport) as { bytes: Uint8Array; delayMs: number }[];
    const other = reply!.bytes.slice();
    other[0]! ^= 0xff;
    return [{ ...reply!, bytes: other }, reply!, { ...reply!, delayMs: 2 }];
  });
  const asked = ask(simulation, "www.example.org");
  simulation.run(100);
  assert.equal(onlyAnswer(asked).answers!.length, 1);
  assert.equal(counter(simulation, COUNTER.UNEXPECTED_TCP), 2);
});
