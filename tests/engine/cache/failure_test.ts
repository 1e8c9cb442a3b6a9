import assert from "node:assert/strict";
import { a, errorCodes, queryBytes, responseBytes, soa } from "../../support/messages/messages.ts";
import { type Behaviour, onlyAnswer, Simulation } from "../../support/simulation/simulation.ts";

const failing: Behaviour = (query) => [{ bytes: responseBytes(query, { rcode: 2 }) }];
const answering: Behaviour = (query) => [{
  bytes: responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.7", 20)] }),
}];
const denying: Behaviour = (query) => [{
  bytes: responseBytes(query, { rcode: 3, authorities: [soa("example.org", 30)] }),
}];

function start(options = "", behaviour: Behaviour | null = failing) {
  const simulation = new Simulation(`. {\n cache {\n ${options}\n }\n forward . 10.0.0.1\n}`);
  let now = behaviour;
  simulation.upstream(
    "10.0.0.1:53",
    (query, transport) => now === null ? [] : now(query, transport),
  );
  return {
    simulation,
    become: (next: Behaviour | null) => now = next,
    ask(options: Partial<Parameters<typeof queryBytes>[0]> = {}) {
      const asked = simulation.ask(queryBytes({ name: "www.example.org", ...options }));
      simulation.run(50);
      return asked;
    },
  };
}

/** Asks every 100 ms and returns the times, in seconds, at which the upstream was asked. */
function askedAt(world: ReturnType<typeof start>, seconds: number): number[] {
  const times: number[] = [];
  const startMs = world.simulation.nowMs;
  for (let i = 0; i < seconds * 10; i++) {
    const before = world.simulation.seen.length;
    const atMs = world.simulation.nowMs;
    world.ask();
    if (world.simulation.seen.length > before) times.push(Math.round((atMs - startMs) / 100) / 10);
    world.simulation.run(50);
  }
  return times;
}

for (
  const { title, options, seconds, expected } of [
    {
      title: "a failure is kept for one second, then twice as long each time, up to five",
      options: "",
      seconds: 20,
      expected: [0, 1, 3, 7, 12, 17],
    },
    {
      title: "servfail caps the pause",
      options: "servfail 2s",
      seconds: 8,
      expected: [0, 1, 3, 5, 7],
    },
    {
      title: "servfail 1s keeps each for a second",
      options: "servfail 1s",
      seconds: 4,
      expected: [0, 1, 2, 3],
    },
  ]
) {
  Deno.test(title, () => assert.deepEqual(askedAt(start(options), seconds), expected));
}

for (const options of ["servfail 0", "servfail 500ms", "disable denial"]) {
  Deno.test(`${options} keeps no failure`, () => {
    const world = start(options);
    // The first failure makes sure that it is not about EDNS.
    world.ask();
    world.simulation.seen.length = 0;
    world.ask();
    world.ask();
    assert.equal(world.simulation.seen.length, 4);
  });
}

Deno.test("a cached failure says so to clients that sent OPT, and is a hit", () => {
  const world = start();
  const first = world.ask({ edns: 1232 });
  assert.equal(onlyAnswer(first).rcode, "SERVFAIL");
  const second = onlyAnswer(world.ask({ edns: 1232 }));
  assert.equal(second.rcode, "SERVFAIL");
  assert.deepEqual(errorCodes(second), [13]);
  assert.deepEqual(errorCodes(onlyAnswer(world.ask())), []);
  assert.equal(world.simulation.count("coredns_cache_hits_total"), 2);
  assert.equal(world.simulation.count("coredns_cache_entries"), 1);
});

Deno.test("the error of one query is not told to the next", () => {
  const world = start();
  world.ask();
  assert.deepEqual(errorCodes(onlyAnswer(world.ask({ edns: 1232 }))), [13]);
  world.become(answering);
  const other = onlyAnswer(world.ask({ name: "other.example.org", edns: 1232 }));
  assert.deepEqual(errorCodes(other), []);
});

Deno.test("an upstream that is silent is a failure that is kept as well", () => {
  const world = start("", null);
  const asked = world.simulation.ask(queryBytes({ name: "www.example.org" }));
  for (let i = 0; i < 600 && world.simulation.engine.waiting > 0; i++) world.simulation.run(10);
  assert.equal(onlyAnswer(asked).rcode, "SERVFAIL");
  const attempts = world.simulation.seen.length;
  const next = onlyAnswer(world.ask({ edns: 1232 }));
  assert.equal(next.rcode, "SERVFAIL");
  assert.deepEqual(errorCodes(next), [13]);
  assert.equal(world.simulation.seen.length, attempts);
});

for (
  const { title, recovered } of [
    { title: "an answer", recovered: answering },
    { title: "a denial", recovered: denying },
  ]
) {
  Deno.test(`${title} ends the failure and its back-off`, () => {
    const world = start();
    askedAt(world, 4);
    world.become(recovered);
    world.simulation.run(4000);
    world.ask();
    assert.equal(world.simulation.count("coredns_cache_entries"), 1);
    world.become(failing);
    world.simulation.run(31_000);
    assert.deepEqual(askedAt(world, 2), [0, 1]);
  });
}

Deno.test("back-off begins anew once the last failure is forgotten", () => {
  const world = start();
  askedAt(world, 6);
  world.simulation.run(20_000);
  assert.deepEqual(askedAt(world, 2), [0, 1]);
});

Deno.test("a failure never replaces a positive answer", () => {
  const world = start("prefetch 1 1m 90%", answering);
  world.ask();
  world.become(failing);
  world.simulation.run(5000);
  assert.equal(onlyAnswer(world.ask()).rcode, "NOERROR");
  assert.equal(onlyAnswer(world.ask()).rcode, "NOERROR");
});

Deno.test("a prefetch that failed is tried again after the pause, one at a time", () => {
  const world = start("prefetch 1 1m 90%", answering);
  world.ask();
  world.become(failing);
  world.simulation.run(3000);
  const times = askedAt(world, 4);
  assert.deepEqual(times, [0, 1, 3]);
});
