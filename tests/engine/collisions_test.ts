import assert from "node:assert/strict";
import { parseName } from "../../src/dns/name.ts";
import { type CreateHandler, NEXT } from "../../src/engine/handler.ts";
import { IN_FLIGHT } from "../../src/engine/in_flight.ts";
import { HANDLERS } from "../support/engine/all_plugins.ts";
import { Inquiry } from "../../src/upstream/message/inquiry.ts";
import { collidingNames, rawQuery } from "../support/engine/hashes.ts";
import { answering } from "../support/engine/scenario.ts";
import { errorCodes, queryBytes } from "../support/messages/messages.ts";
import {
  type Asked,
  type Behaviour,
  onlyAnswer,
  Simulation,
} from "../support/simulation/simulation.ts";

const ATTACKER = "198.51.100.7";
const VICTIM = "192.0.2.7";

/** Silent in the attacker's zone, elsewhere an answer after `delayMs`. */
const upstream = (delayMs: number): Behaviour => (query, transport) =>
  query.questions![0]!.name.endsWith("evil.test")
    ? []
    : answering("192.0.2.7", { delayMs })(query, transport);

function start(corefile: string, { delayMs = 1, handlers = HANDLERS } = {}): Simulation {
  const simulation = new Simulation(corefile, { handlers });
  simulation.upstream("10.0.0.1:53", upstream(delayMs));
  return simulation;
}

/** Counts comparisons of questions in flight during `work`. */
function comparisons(work: () => void): number {
  const original = Inquiry.prototype.equals;
  let count = 0;
  Inquiry.prototype.equals = function (exchange, subnet) {
    count++;
    return original.call(this, exchange, subnet);
  };
  try {
    work();
  } finally {
    Inquiry.prototype.equals = original;
  }
  return count;
}

Deno.test("a thousand names a second that collide under MurmurHash do not delay others", () => {
  const simulation = start(". {\n cache\n forward . 10.0.0.1\n}");
  const names = collidingNames(8000, parseName("evil.test."));
  const served: Asked[] = [];
  const count = comparisons(() => {
    names.forEach((name, i) => {
      simulation.ask(rawQuery(name), 0, ATTACKER);
      if (i % 10 === 0) {
        served.push(simulation.ask(queryBytes({ name: `n${i}.example.org` }), 0, VICTIM));
      }
      simulation.run(1);
    });
  });
  simulation.run(100);
  assert.ok(simulation.engine.waiting > 1000, "the attacker's questions are in flight");
  for (const asked of served) {
    const answer = onlyAnswer(asked);
    assert.equal(answer.answers!.length, 1);
    assert.ok(asked.answers[0]!.atMs - asked.atMs <= 5);
  }
  assert.ok(count <= 8, `${count} comparisons`);
  assert.equal(simulation.count("nodens_in_flight_refused_total"), 0);
});

/** Replaces `any` in the chain, and gives all questions the same hash. */
const equalHashes: CreateHandler = () => ({
  name: "any",
  query(exchange) {
    exchange.hash = 42;
    return NEXT;
  },
});

for (const cache of ["", "cache\n"]) {
  Deno.test(`equal hashes fill one chain at most${cache && ", in the cache too"}`, () => {
    const handlers = new Map([...HANDLERS, ["any", equalHashes]]);
    const simulation = start(`. {\n any\n ${cache}forward . 10.0.0.1\n}`, { handlers });
    const asked: Asked[] = [];
    const count = comparisons(() => {
      for (let i = 0; i < 1000; i++) {
        asked.push(simulation.ask(queryBytes({ name: `n${i}.evil.test`, edns: 1232 })));
      }
    });
    const refused = asked.filter(({ answers }) => answers.length === 1);
    assert.equal(refused.length, 1000 - IN_FLIGHT.chain);
    const answer = onlyAnswer(refused[0]!);
    assert.equal(answer.rcode, "SERVFAIL");
    assert.deepEqual(errorCodes(answer), [23]);
    assert.equal(simulation.count("nodens_in_flight_refused_total"), refused.length);
    assert.ok(count <= 1000 * IN_FLIGHT.chain, `${count} comparisons`);
    simulation.run(20_000);
    assert.equal(simulation.engine.waiting, 0);
    assert.equal(onlyAnswer(asked[0]!).rcode, "SERVFAIL");
    // A refusal is not about the name, and is not cached.
    const again = simulation.ask(queryBytes({ name: "n999.example.org" }));
    simulation.run(5);
    assert.equal(onlyAnswer(again).answers!.length, 1);
  });
}

Deno.test("one client waits at most 64 times for one question; others are not affected", () => {
  const simulation = start(". {\n cache\n forward . 10.0.0.1\n}", { delayMs: 200 });
  const ask = (name: string, client: string) =>
    simulation.ask(queryBytes({ name, edns: 1232 }), 0, client);
  const greedy = Array.from({ length: 100 }, () => ask("www.example.org", ATTACKER));
  const refused = greedy.filter(({ answers }) => answers.length === 1);
  assert.equal(refused.length, 100 - IN_FLIGHT.waitsPerClient);
  for (const one of refused) {
    assert.equal(onlyAnswer(one).rcode, "SERVFAIL");
    assert.deepEqual(errorCodes(onlyAnswer(one)), [23]);
  }
  const others = [ask("www.example.org", VICTIM), ask("web.example.org", ATTACKER)];
  assert.equal(simulation.count("nodens_in_flight_refused_total"), refused.length);
  simulation.run(250);
  for (const one of [...greedy.filter((one) => !refused.includes(one)), ...others]) {
    assert.equal(onlyAnswer(one).answers!.length, 1);
  }
  assert.equal(onlyAnswer(ask("www.example.org", ATTACKER)).answers!.length, 1);
});

Deno.test("one client waits at most 64 times for one verification, then gets stale answers", () => {
  const simulation = start(
    ". {\n cache {\n serve_stale 1h verify 500ms\n }\n forward . 10.0.0.1\n}",
  );
  const ask = () => simulation.ask(queryBytes({ name: "www.example.org", edns: 1232 }), 0, VICTIM);
  ask();
  simulation.run(400_000);
  simulation.upstream("10.0.0.1:53", upstream(200));
  const asked = Array.from({ length: 100 }, ask);
  const stale = asked.filter(({ answers }) => answers.length === 1);
  assert.equal(stale.length, 100 - IN_FLIGHT.waitsPerClient);
  assert.deepEqual(errorCodes(onlyAnswer(stale[0]!)), [3]);
  assert.equal(simulation.count("nodens_in_flight_refused_total"), stale.length);
  simulation.run(250);
  for (const one of asked) assert.equal(onlyAnswer(one).answers!.length, 1);
  assert.equal(errorCodes(onlyAnswer(asked[0]!)).length, 0);
  assert.equal(simulation.engine.waiting, 0);
});

Deno.test("subnets are hashed if they are part of the question", () => {
  for (const cache of ["", "cache\n "]) {
    const simulation = start(`. {\n ${cache}forward . 10.0.0.1 {\n ecs pass\n }\n}`, {
      delayMs: 50,
    });
    const subnet = (i: number) => Uint8Array.of(0, 1, 24, 0, 10, i >> 8, i & 255);
    const asked = Array.from({ length: 200 }, (_, i) =>
      simulation.ask(queryBytes({
        name: "www.example.org",
        edns: 1232,
        ednsOptions: [{ code: 8, data: subnet(i) }],
      })));
    simulation.run(100);
    for (const one of asked) assert.equal(onlyAnswer(one).answers!.length, 1);
    assert.equal(simulation.count("nodens_forward_lookups_total"), 200);
    assert.equal(simulation.count("nodens_in_flight_refused_total"), 0);
  }
});
