import assert from "node:assert/strict";
import { COUNTER } from "../../../src/engine/counters.ts";
import { answering } from "../../support/engine/scenario.ts";
import { errorCodes, queryBytes } from "../../support/messages/messages.ts";
import {
  type Asked,
  type Behaviour,
  onlyAnswer,
  Simulation,
} from "../../support/simulation/simulation.ts";

const COREFILE = ". {\n cache {\n success 2048\n }\n forward . 10.0.0.1\n}";
const ATTACKER = "198.51.100.7";
const SERVER = "192.0.2.1";

const behaviour: Behaviour = (query, transport) =>
  query.questions![0]!.name.startsWith("silent")
    ? []
    : answering("192.0.2.7", { ttl: 3600 })(query, transport);

function start(maxExchanges = 1024): Simulation {
  const simulation = new Simulation(COREFILE, { maxExchanges });
  simulation.upstream("10.0.0.1:53", behaviour);
  return simulation;
}

function flood(simulation: Simulation, count: number, client: string): Asked[] {
  return Array.from(
    { length: count },
    (_, i) => simulation.ask(queryBytes({ name: `silent${i}.example.org`, edns: 1232 }), 0, client),
  );
}

Deno.test("one client cannot use all slots for waiting queries", () => {
  const simulation = start();
  const flooding = flood(simulation, 3000, ATTACKER);
  assert.equal(simulation.engine.waiting, 342);
  const shed = flooding.filter(({ answers }) => answers.length === 1);
  assert.equal(shed.length, 3000 - 342);
  assert.equal(simulation.counters.values[COUNTER.SHED_SHARE], 3000 - 342);
  assert.equal(onlyAnswer(shed[0]!).rcode, "SERVFAIL");
  assert.deepEqual(errorCodes(onlyAnswer(shed[0]!)), [23]);
  for (let i = 0; i < 100; i++) {
    const client = i % 2 === 0 ? `192.0.2.${i}` : `2001:db8:0:${i}::1`;
    const asked = simulation.ask(queryBytes({ name: `n${i}.example.org` }), 0, client);
    simulation.run(5);
    assert.equal(onlyAnswer(asked).answers!.length, 1, client);
  }
  simulation.run(20_000);
  assert.equal(simulation.engine.waiting, 0);
  flood(simulation, 300, ATTACKER);
  assert.equal(simulation.engine.waiting, 300);
});

Deno.test("several greedy clients leave room for others", () => {
  const simulation = start();
  for (const client of ["198.51.100.1", "198.51.100.2", "198.51.100.3"]) {
    for (let i = 0; i < 1000; i++) {
      simulation.ask(queryBytes({ name: `silent${i}.${client}.example` }), 0, client);
    }
  }
  assert.equal(simulation.engine.waiting, 722);
  const asked = simulation.ask(queryBytes({ name: "www.example.org" }), 0, "192.0.2.1");
  simulation.run(5);
  assert.equal(onlyAnswer(asked).answers!.length, 1);
});

Deno.test("addresses of one IPv6 network of 64 bits are one client", () => {
  const simulation = start();
  for (let i = 0; i < 2000; i++) {
    const client = `2001:db8::${(i + 1).toString(16)}`;
    simulation.ask(queryBytes({ name: `silent${i}.example.org` }), 0, client);
  }
  assert.equal(simulation.engine.waiting, 342);
});

/** Number of answered queries out of 300 simultaneous ones for one name. */
function burst(client: string, simulation = start()): number {
  const asked = Array.from(
    { length: 300 },
    () => simulation.ask(queryBytes({ name: "www.example.org" }), 0, client),
  );
  simulation.run(20);
  return asked.filter((one) => onlyAnswer(one).rcode === "NOERROR").length;
}

Deno.test("a client waits for one question at most 64 times, this host's programs without limit", () => {
  assert.equal(burst(ATTACKER), 64);
  assert.equal(burst("2001:db8::1"), 64);
  // They are one client, and no other machine can have that address.
  for (const address of ["127.0.0.1", "127.0.0.53", "::1", SERVER]) {
    assert.equal(burst(address), 300, address);
  }
  // Another client in the same bucket is not exempt.
  const simulation = start();
  assert.equal(burst("127.0.0.1", simulation), 300);
  simulation.run(3_600_000);
  assert.equal(burst(ATTACKER, simulation), 64);
});

Deno.test("programs of this host leave room for others", () => {
  const simulation = start();
  for (let i = 0; i < 3000; i++) {
    simulation.ask(queryBytes({ name: "silent.example.org" }), 0, "127.0.0.1");
  }
  assert.equal(simulation.engine.waiting, 342);
});
