import assert from "node:assert/strict";
import {
  ask,
  askMany,
  FewSockets,
  forwarding,
  rcodes,
  waited,
} from "../../support/simulation/forwarding.ts";
import type { Asked, Behaviour } from "../../support/simulation/simulation.ts";
import { answering, overTcp, refusing, silent } from "../../support/simulation/upstream_kinds.ts";

function start(sockets: number, upstreams: Record<string, Behaviour>, options = ""): FewSockets {
  const simulation = forwarding(upstreams, { Class: FewSockets, options });
  simulation.sockets = sockets;
  return simulation;
}

const seen = (simulation: FewSockets, transport: string) =>
  simulation.seen.filter((line) => line.startsWith(`${transport} `) && !line.endsWith(" NS"))
    .length;
const count = (simulation: FewSockets, name: string) =>
  simulation.counters.values[simulation.counters.counter(name, { from: "." })]!;

Deno.test("queries without a socket wait for one, in order of arrival", () => {
  const simulation = start(20, { "10.0.0.1": answering(1) });
  const asked = askMany(simulation, 100);
  simulation.run(1000);
  assert.deepEqual(rcodes(asked), ["NOERROR"]);
  assert.deepEqual([simulation.mostUsed, simulation.used], [20, 0]);
  // None waited long enough for a connection, and none was sent twice.
  assert.deepEqual([seen(simulation, "udp"), seen(simulation, "tcp")], [100, 0]);
  assert.equal(count(simulation, "nodens_forward_socket_waits_total"), 80);
  assert.equal(count(simulation, "nodens_forward_socket_fallbacks_total"), 0);
  const order = simulation.seen.map((line) => Number(/ n(\d+)\./.exec(line)![1]));
  assert.deepEqual(order, [...order].sort((x, y) => x - y));
});

Deno.test("queries share connections instead of waiting long for a socket", () => {
  const simulation = start(20, { "10.0.0.1": answering(500) });
  const asked = askMany(simulation, 100);
  simulation.run(2000);
  assert.deepEqual(rcodes(asked), ["NOERROR"]);
  const fallbacks = count(simulation, "nodens_forward_socket_fallbacks_total");
  assert.ok(fallbacks >= 80 && fallbacks <= 100, `${fallbacks} went over TCP`);
  assert.ok(simulation.mostStreams <= 64, `${simulation.mostStreams} connections at a time`);
  // At the bound, late queries were moved for waiting ones.
  assert.ok(simulation.connects <= 80, `${simulation.connects} connections`);
});

Deno.test("without any socket, queries use connections", () => {
  const simulation = start(0, { "10.0.0.1": answering(1) });
  const asked = askMany(simulation, 50);
  simulation.run(1000);
  assert.deepEqual(rcodes(asked), ["NOERROR"]);
  assert.equal(seen(simulation, "udp"), 0);
});

for (const refuses of [true, false]) {
  const title = refuses ? "the upstream has no TCP" : "there are no descriptors for one";
  Deno.test(`a query waits for a socket again if ${title}`, () => {
    const upstream = refuses ? overTcp(refusing, answering(100)) : answering(100);
    const simulation = start(10, { "10.0.0.1": upstream });
    simulation.streams = refuses;
    const asked = askMany(simulation, 100);
    simulation.run(4000);
    assert.deepEqual(rcodes(asked), ["NOERROR"]);
    assert.deepEqual([simulation.mostUsed, simulation.used], [10, 0]);
  });
}

Deno.test("a lack of sockets and connections does not count as an upstream's failure", () => {
  const simulation = start(0, { "10.0.0.1": answering(1), "10.0.0.2": answering(1) });
  simulation.streams = false;
  const asked = askMany(simulation, 20);
  simulation.run(10_000);
  assert.deepEqual(rcodes(asked), ["SERVFAIL"]);
  for (const one of asked) assert.ok(waited(one) >= 2000, "failed at once");
  const { counters } = simulation;
  for (const to of ["10.0.0.1:53", "10.0.0.2:53"]) {
    assert.equal(counters.values[counters.counter("nodens_upstream_up", { to })], 1);
  }
  simulation.sockets = 10;
  const later = askMany(simulation, 10);
  simulation.run(100);
  assert.deepEqual(rcodes(later), ["NOERROR"]);
});

Deno.test("a health check without a socket does not keep an upstream down", () => {
  const simulation = start(5, { "10.0.0.1": silent }, "max_fails 2");
  askMany(simulation, 5);
  simulation.run(3000);
  // It has recovered, but checks without sockets cannot detect that.
  simulation.upstream("10.0.0.1:53", answering(1));
  simulation.sockets = 0;
  simulation.run(5000);
  simulation.sockets = 5;
  simulation.run(3000);
  const asked = askMany(simulation, 5);
  simulation.run(100);
  assert.deepEqual(rcodes(asked), ["NOERROR"]);
});

Deno.test("a client that uses every socket does not fail the queries of others", () => {
  const simulation = start(20, {
    "10.0.0.1": (query, transport) =>
      query.questions![0]!.name.startsWith("slow") ? [] : answering(2)(query, transport),
  });
  const others: Asked[] = [];
  for (let i = 0; i < 1000; i++) {
    ask(simulation, { name: `slow${i}.example.org`, client: "192.0.2.66", forMs: 2 });
    if (i % 10 > 0) continue;
    others.push(ask(simulation, { name: `n${i}.example.org`, client: "192.0.2.200" }));
  }
  simulation.run(6000);
  assert.deepEqual(rcodes(others), ["NOERROR"]);
});
