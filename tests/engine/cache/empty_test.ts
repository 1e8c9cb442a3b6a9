import assert from "node:assert/strict";
import {
  a,
  cname,
  type Decoded,
  ns,
  queryBytes,
  responseBytes,
} from "../../support/messages/messages.ts";
import { type Behaviour, onlyAnswer, Simulation } from "../../support/simulation/simulation.ts";
import { failing, lame, refusing, truncating } from "../../support/simulation/upstream_kinds.ts";

const answering: Behaviour = (query) => [{
  bytes: responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.7", 100)] }),
}];
const glue = a("ns.example.org", "192.0.2.53", 518_400);
const referring: Behaviour = (query) => [{
  bytes: responseBytes(query, { authorities: [ns("example.org")], additionals: [glue] }),
}];
const empty: Behaviour = (query) => [{ bytes: responseBytes(query) }];
const emptyWithGlue: Behaviour = (query) => [{
  bytes: responseBytes(query, { additionals: [glue] }),
}];
const authoritativeNothing: Behaviour = (
  query,
) => [{ bytes: responseBytes(query, { flags: 0x0400 }) }];

class World {
  readonly simulation: Simulation;
  behaviour: Behaviour;

  constructor(behaviour: Behaviour, options = "") {
    this.behaviour = behaviour;
    this.simulation = new Simulation(`. {\n cache {\n ${options}\n }\n forward . 10.0.0.1\n}`);
    this.simulation.upstream("10.0.0.1:53", (...args) => this.behaviour(...args));
  }

  ask(options: Partial<Parameters<typeof queryBytes>[0]> = {}): Decoded {
    const asked = this.simulation.ask(queryBytes({ name: "www.example.org", ...options }));
    this.simulation.run(50);
    return onlyAnswer(asked);
  }

  get lookups(): number {
    return this.simulation.count("nodens_forward_lookups_total");
  }
}

const SAYING_NOTHING = [
  { title: "a referral", behaviour: referring },
  { title: "nothing", behaviour: empty },
  { title: "additional data alone", behaviour: emptyWithGlue },
  { title: "nothing, with authority", behaviour: authoritativeNothing },
];

for (const { title, behaviour } of SAYING_NOTHING) {
  for (const options of ["", "success 9984 3600 60", "serve_stale 1h immediate"]) {
    Deno.test(`${title} is kept for two seconds, whatever TTLs are there: cache ${options}`, () => {
      const world = new World(behaviour, options);
      const first = world.ask();
      assert.equal(first.rcode, "NOERROR");
      for (const record of [...first.authorities!, ...first.additionals!]) {
        if (record.type !== "OPT") assert.equal((record as { ttl: number }).ttl, 2);
      }
      world.simulation.run(1000);
      world.ask();
      assert.equal(world.lookups, 1);
      world.simulation.run(1000);
      world.behaviour = answering;
      assert.equal(world.ask().answers!.length, 1);
      assert.equal(world.lookups, 2);
    });
  }

  Deno.test(`${title} leaves an entry alone that is being fetched again`, () => {
    const world = new World(answering, "prefetch 1 1m 90%");
    world.ask();
    world.behaviour = behaviour;
    world.simulation.run(20_000);
    for (let i = 0; i < 5; i++) assert.equal(world.ask().answers!.length, 1);
    assert.equal(world.lookups, 2);
    // Tried again after a pause, like any refresh that failed.
    world.simulation.run(1100);
    assert.equal(world.ask().answers!.length, 1);
    assert.equal(world.lookups, 3);
  });

  Deno.test(`${title} takes an expired entry's place where nothing stale is served`, () => {
    const world = new World(answering);
    world.ask();
    world.behaviour = behaviour;
    world.simulation.run(101_000);
    for (let i = 0; i < 3; i++) assert.equal(world.ask().answers!.length, 0);
    assert.equal(world.lookups, 2);
  });
}

for (const kind of ["referral", "empty"] as const) {
  Deno.test(`what a lame server says is handed on, and not kept: ${kind}`, () => {
    const world = new World(lame(kind));
    for (let i = 1; i <= 3; i++) {
      assert.equal(world.ask().rcode, "NOERROR");
      assert.equal(world.lookups, i);
    }
    assert.equal(world.simulation.count("coredns_cache_entries"), 0);
  });
}

for (
  const { title, rcode, text } of [
    { title: "REFUSED", rcode: 5, text: "REFUSED" },
    { title: "NOTIMP", rcode: 4, text: "NOTIMP" },
    { title: "FORMERR", rcode: 1, text: "FORMERR" },
  ]
) {
  Deno.test(`${title} of an only server is kept as a failure, never in place of an answer`, () => {
    const world = new World(answering, "prefetch 1 1m 90%");
    world.ask();
    world.behaviour = failing(rcode);
    world.simulation.run(20_000);
    for (let i = 0; i < 3; i++) assert.equal(world.ask().answers!.length, 1);
    world.simulation.run(90_000);
    assert.equal(world.ask().rcode, text);
    const asked = world.lookups;
    assert.equal(world.ask().rcode, text);
    assert.equal(world.lookups, asked);
    world.simulation.run(5000);
    world.behaviour = answering;
    assert.equal(world.ask().answers!.length, 1);
  });
}

Deno.test("aliases in a loop are handed on, and kept as a failure", () => {
  const world = new World((query) => {
    const { name } = query.questions![0]!;
    const answers = [cname(name, "b.example.org"), cname("b.example.org", name)];
    return [{ bytes: responseBytes(query, { answers }) }];
  });
  for (let i = 0; i < 3; i++) assert.equal(world.ask().answers!.length, 2);
  assert.equal(world.lookups, 1);
  world.simulation.run(1000);
  world.ask();
  assert.equal(world.lookups, 2);
});

Deno.test("a truncated answer that is handed on is never kept", () => {
  for (const rcode of [0, 3]) {
    const world = new World((query, transport, arrival) => {
      if (transport === "tcp") return refusing(query, transport, arrival);
      return [{ bytes: responseBytes(query, { truncated: true, rcode }) }];
    });
    for (let i = 1; i <= 3; i++) {
      const told = world.ask();
      assert.equal(told.flag_tc, true);
      assert.equal(world.lookups, i);
    }
    assert.equal(world.simulation.count("coredns_cache_entries"), 0);
  }
  const world = new World(answering, "prefetch 1 1m 90%");
  world.ask();
  world.behaviour = truncating(refusing);
  world.simulation.run(20_000);
  for (let i = 0; i < 3; i++) assert.equal(world.ask().flag_tc, false);
});

Deno.test("a query that max_concurrent refuses says nothing of its name", () => {
  const simulation = new Simulation(
    ". {\n cache\n forward . 10.0.0.1 {\n max_concurrent 1\n }\n}",
  );
  simulation.upstream("10.0.0.1:53", answering);
  simulation.ask(queryBytes({ name: "first.example.org" }));
  const refused = simulation.ask(queryBytes({ name: "www.example.org" }));
  assert.equal(onlyAnswer(refused).rcode, "REFUSED");
  simulation.run(10);
  const again = simulation.ask(queryBytes({ name: "www.example.org" }));
  simulation.run(10);
  assert.equal(onlyAnswer(again).answers!.length, 1);
});
