import assert from "node:assert/strict";
import {
  type DatagramHandler,
  type Endpoint,
  NO_SOCKET,
  type StreamHandler,
} from "../../../src/engine/io.ts";
import { a, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import {
  type Asked,
  type Behaviour,
  onlyAnswer,
  Simulation,
} from "../../support/simulation/simulation.ts";

/** Has no more than so many sockets, and streams only where told. */
class Short extends Simulation {
  sockets = 0;
  streams = true;
  used = 0;
  mostUsed = 0;
  mostStreams = 0;
  override open(endpoint: Endpoint, handler: DatagramHandler): number {
    if (this.used >= this.sockets) return NO_SOCKET;
    this.used++;
    this.mostUsed = Math.max(this.used, this.mostUsed);
    return super.open(endpoint, handler);
  }
  override release(index: number): void {
    this.used--;
    super.release(index);
  }
  override connect(endpoint: Endpoint, handler: StreamHandler): number {
    if (!this.streams) return -1;
    const stream = super.connect(endpoint, handler);
    this.mostStreams = Math.max(this.mostStreams, this.openUpstream - this.used);
    return stream;
  }
}

const after = (delayMs: number): Behaviour => (query) => [{
  bytes: responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.7")] }),
  delayMs,
}];
/** Answers over UDP as told, and refuses connections. */
const withoutTcp = (delayMs: number): Behaviour => (query, transport) =>
  transport === "tcp" ? "refuse" : after(delayMs)(query, transport);

function start(sockets: number, upstreams: Record<string, Behaviour>, options = ""): Short {
  const simulation = new Short(
    `. {\n forward . ${Object.keys(upstreams).join(" ")} {\n policy sequential\n ${options}\n }\n}`,
  );
  simulation.sockets = sockets;
  for (const [address, behaviour] of Object.entries(upstreams)) {
    simulation.upstream(`${address}:53`, behaviour);
  }
  return simulation;
}

function ask(simulation: Short, count: number): Asked[] {
  return Array.from(
    { length: count },
    (_, i) => simulation.ask(queryBytes({ name: `n${i}.example.org`, id: i })),
  );
}

const rcodes = (asked: readonly Asked[]) => new Set(asked.map((one) => onlyAnswer(one).rcode));
const seen = (simulation: Short, transport: string) =>
  simulation.seen.filter((line) => line.startsWith(`${transport} `) && !line.endsWith(" NS"))
    .length;
const count = (simulation: Short, name: string) =>
  simulation.counters.values[simulation.counters.counter(name, { from: "." })]!;

Deno.test("queries for which there is no socket wait for one", () => {
  const simulation = start(20, { "10.0.0.1": after(1) });
  const asked = ask(simulation, 100);
  simulation.run(1000);
  assert.deepEqual(rcodes(asked), new Set(["NOERROR"]));
  assert.equal(simulation.mostUsed, 20);
  assert.equal(simulation.used, 0);
  // Nobody waited long enough for a connection, or was asked twice.
  assert.deepEqual([seen(simulation, "udp"), seen(simulation, "tcp")], [100, 0]);
  assert.equal(count(simulation, "nodens_forward_socket_waits_total"), 80);
  assert.equal(count(simulation, "nodens_forward_socket_fallbacks_total"), 0);
  // First come, first served.
  const order = simulation.seen.map((line) => Number(/ n(\d+)\./.exec(line)![1]));
  assert.deepEqual(order, [...order].sort((x, y) => x - y));
});

Deno.test("queries that would wait long for a socket share a connection", () => {
  const simulation = start(20, { "10.0.0.1": after(500) });
  const asked = ask(simulation, 100);
  simulation.run(2000);
  assert.deepEqual(rcodes(asked), new Set(["NOERROR"]));
  // The eighty, and some of the others once more.
  const fallbacks = count(simulation, "nodens_forward_socket_fallbacks_total");
  assert.ok(fallbacks >= 80 && fallbacks <= 100, `${fallbacks} went over TCP`);
  assert.ok(simulation.mostStreams <= 64, `${simulation.mostStreams} connections at a time`);
  // At the bound, queries that are late made room for those that waited.
  assert.ok(simulation.connects <= 80, `${simulation.connects} connections`);
});

Deno.test("where there are no sockets at all, connections do", () => {
  const simulation = start(0, { "10.0.0.1": after(1) });
  const asked = ask(simulation, 50);
  simulation.run(1000);
  assert.deepEqual(rcodes(asked), new Set(["NOERROR"]));
  assert.equal(seen(simulation, "udp"), 0);
});

for (const refuses of [true, false]) {
  const title = refuses ? "the upstream has no TCP" : "there are no descriptors for one";
  Deno.test(`a query that got no connection because ${title} waits for a socket on`, () => {
    const simulation = start(10, { "10.0.0.1": refuses ? withoutTcp(100) : after(100) });
    simulation.streams = refuses;
    const asked = ask(simulation, 100);
    simulation.run(4000);
    assert.deepEqual(rcodes(asked), new Set(["NOERROR"]));
    assert.equal(simulation.mostUsed, 10);
    assert.equal(simulation.used, 0);
  });
}

Deno.test("no upstream is to blame where there is neither socket nor connection", () => {
  const simulation = start(0, { "10.0.0.1": after(1), "10.0.0.2": after(1) });
  simulation.streams = false;
  const asked = ask(simulation, 20);
  simulation.run(10_000);
  assert.deepEqual(rcodes(asked), new Set(["SERVFAIL"]));
  for (const one of asked) assert.ok(one.answers[0]!.atMs - one.atMs >= 2000, "failed at once");
  const { counters } = simulation;
  for (const to of ["10.0.0.1:53", "10.0.0.2:53"]) {
    assert.equal(counters.values[counters.counter("nodens_upstream_up", { to })], 1);
  }
  simulation.sockets = 10;
  const later = ask(simulation, 10);
  simulation.run(100);
  assert.deepEqual(rcodes(later), new Set(["NOERROR"]));
});

Deno.test("a health check that finds no socket does not hold an upstream down", () => {
  const simulation = start(5, { "10.0.0.1": () => [] }, "max_fails 2");
  ask(simulation, 5);
  simulation.run(3000);
  // It is back, but its socketless checks cannot know.
  simulation.upstream("10.0.0.1:53", after(1));
  simulation.sockets = 0;
  simulation.run(5000);
  simulation.sockets = 5;
  simulation.run(3000);
  const asked = ask(simulation, 5);
  simulation.run(100);
  assert.deepEqual(rcodes(asked), new Set(["NOERROR"]));
});

Deno.test("clients that hold every socket with a silent zone do not fail those of others", () => {
  const simulation = start(20, {
    "10.0.0.1": (query, transport) =>
      query.questions![0]!.name.startsWith("slow") ? [] : after(2)(query, transport),
  });
  const others: Asked[] = [];
  for (let i = 0; i < 1000; i++) {
    simulation.ask(queryBytes({ name: `slow${i}.example.org` }), 0, "192.0.2.66");
    simulation.run(2);
    if (i % 10 > 0) continue;
    others.push(simulation.ask(queryBytes({ name: `n${i}.example.org` }), 0, "192.0.2.200"));
  }
  simulation.run(6000);
  assert.deepEqual(rcodes(others), new Set(["NOERROR"]));
});
