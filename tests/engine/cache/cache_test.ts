import assert from "node:assert/strict";
import { a, queryBytes, responseBytes, soa } from "../../support/messages/messages.ts";
import { type Behaviour, onlyAnswer, Simulation } from "../../support/simulation/simulation.ts";

const COREFILE = (options = "") => `. {\n cache {\n ${options}\n }\n forward . 10.0.0.1\n}`;

const answering = (ttl: number): Behaviour => (query) => [{
  bytes: responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.7", ttl)] }),
}];

const denying: Behaviour = (query) => [{
  bytes: responseBytes(query, { rcode: 3, authorities: [soa("example.org", 30)] }),
}];

function start(behaviour: Behaviour, options = ""): Simulation {
  const simulation = new Simulation(COREFILE(options));
  simulation.upstream("10.0.0.1:53", behaviour);
  return simulation;
}

function ask(simulation: Simulation, name = "www.example.org", options = {}) {
  const asked = simulation.ask(queryBytes({ name, ...options }));
  simulation.run(50);
  return asked;
}

Deno.test("a second query is answered from the cache with an ageing TTL", () => {
  const simulation = start(answering(300));
  const first = onlyAnswer(ask(simulation));
  assert.equal((first.answers![0] as { ttl: number }).ttl, 300);
  simulation.run(10_000);
  const second = onlyAnswer(ask(simulation, "WWW.example.org", { id: 77 }));
  assert.equal(second.id, 77);
  assert.equal(second.questions![0]!.name, "WWW.example.org");
  assert.equal((second.answers![0] as { ttl: number }).ttl, 290);
  assert.equal(second.flag_aa, true);
  assert.equal(simulation.seen.length, 1);
});

Deno.test("an entry expires with its TTL", () => {
  const simulation = start(answering(20));
  ask(simulation);
  simulation.run(19_000);
  ask(simulation);
  assert.equal(simulation.seen.length, 1);
  simulation.run(2000);
  ask(simulation);
  assert.equal(simulation.seen.length, 2);
});

for (
  const { title, ttl, options, expected } of [
    { title: "the default maximum caps the TTL", ttl: 90_000, options: "", expected: 3600 },
    { title: "the default minimum raises the TTL", ttl: 0, options: "", expected: 5 },
    { title: "success TTL caps the TTL", ttl: 300, options: "success 9984 30", expected: 30 },
    { title: "MINTTL raises the TTL", ttl: 1, options: "success 9984 300 60", expected: 60 },
  ]
) {
  Deno.test(title, () => {
    const simulation = start(answering(ttl), options);
    const answer = onlyAnswer(ask(simulation));
    assert.equal((answer.answers![0] as { ttl: number }).ttl, expected);
    simulation.run((expected - 1) * 1000);
    ask(simulation);
    assert.equal(simulation.seen.length, 1);
    simulation.run(2000);
    ask(simulation);
    assert.equal(simulation.seen.length, 2);
  });
}

Deno.test("keepttl answers with the original TTL", () => {
  const simulation = start(answering(300), "keepttl");
  ask(simulation);
  simulation.run(100_000);
  assert.equal((onlyAnswer(ask(simulation)).answers![0] as { ttl: number }).ttl, 300);
});

Deno.test("NXDOMAIN is kept for the SOA's TTL", () => {
  const simulation = start(denying);
  assert.equal(onlyAnswer(ask(simulation)).rcode, "NXDOMAIN");
  simulation.run(20_000);
  const second = onlyAnswer(ask(simulation));
  assert.equal(second.rcode, "NXDOMAIN");
  assert.equal(second.authorities!.length, 1);
  assert.equal(simulation.seen.length, 1);
  simulation.run(15_000);
  ask(simulation);
  assert.equal(simulation.seen.length, 2);
});

Deno.test("a denial without SOA is not kept", () => {
  const simulation = start((query) => [{ bytes: responseBytes(query, { rcode: 3 }) }]);
  ask(simulation);
  ask(simulation);
  assert.equal(simulation.seen.length, 2);
});

Deno.test("disable denial keeps successes only", () => {
  const simulation = start(denying, "disable denial example.org");
  ask(simulation);
  ask(simulation);
  assert.equal(simulation.seen.length, 2);
});

Deno.test("a SERVFAIL does not hide a positive answer that is still good", () => {
  let failing = false;
  const simulation = start(
    (query, transport) =>
      failing ? [{ bytes: responseBytes(query, { rcode: 2 }) }] : answering(300)(query, transport),
    "prefetch 1 1m 90%",
  );
  ask(simulation);
  failing = true;
  simulation.run(40_000);
  ask(simulation);
  ask(simulation);
  assert.equal(onlyAnswer(ask(simulation)).rcode, "NOERROR");
});

Deno.test("other types, DO and CD are entries of their own", () => {
  const simulation = start(answering(300));
  ask(simulation);
  ask(simulation, "www.example.org", { edns: 1232, dnssecOk: true });
  ask(simulation, "www.example.org", { flags: 0x0110 });
  ask(simulation, "www.example.org", { edns: 1232 });
  assert.equal(simulation.seen.length, 3);
});

Deno.test("a query without RD is answered from the cache but not kept", () => {
  const simulation = start(answering(300));
  ask(simulation, "www.example.org", { flags: 0 });
  ask(simulation);
  assert.equal(simulation.seen.length, 2);
  ask(simulation, "www.example.org", { flags: 0 });
  assert.equal(simulation.seen.length, 2);
});

Deno.test("a popular name is fetched again before it runs out, once", () => {
  const simulation = start(answering(100), "prefetch 3 1m 10%");
  for (let i = 0; i < 4; i++) {
    ask(simulation);
    simulation.run(22_000);
  }
  assert.equal(simulation.seen.length, 1);
  simulation.run(3000);
  const during = [ask(simulation), ask(simulation)];
  assert.equal(simulation.seen.length, 2);
  for (const asked of during) assert.equal(onlyAnswer(asked).answers!.length, 1);
  simulation.run(20_000);
  assert.equal((onlyAnswer(ask(simulation)).answers![0] as { ttl: number }).ttl > 70, true);
  assert.equal(simulation.seen.length, 2);
});

Deno.test("a name that is asked with gaps is not fetched again", () => {
  const simulation = start(answering(100), "prefetch 3 10s 10%");
  for (let i = 0; i < 4; i++) {
    ask(simulation);
    simulation.run(23_500);
  }
  ask(simulation);
  assert.equal(simulation.seen.length, 1);
});

Deno.test("the block of the node-local documentation works to the letter", () => {
  const simulation = start(answering(300), "success 9984 30\n denial 9984 5\n prefetch 500 5");
  assert.equal((onlyAnswer(ask(simulation)).answers![0] as { ttl: number }).ttl, 30);
});
