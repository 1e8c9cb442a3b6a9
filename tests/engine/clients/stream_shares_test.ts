/** What TCP clients may hold of what all have in common: connections, memory, turns. */
import assert from "node:assert/strict";
import { COUNTER } from "../../../src/engine/counters.ts";
import {
  costOf,
  QUANTUM,
  ROUND_QUANTUM,
  WAIT_COST,
} from "../../../src/engine/clients/stream_limits.ts";
import { closings } from "../../support/engine/closings.ts";
import { a, decode, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import { seeded } from "../../support/run/random.ts";
import type { ClientOptions } from "../../support/simulation/simulated_client.ts";
import {
  type ClientStreamControl,
  frame,
  Simulation,
} from "../../support/simulation/simulation.ts";

const HOG = "192.0.2.1";
const OTHER = "192.0.2.2";

const query = (id = 1) => frame(queryBytes({ name: "www.example.org", id }));

const MANY = Array.from({ length: 5000 }, (_, id) => query(id));
const SIZE = MANY[0]!.length;
const ALL = new Uint8Array(MANY.length * SIZE);
MANY.forEach((one, n) => ALL.set(one, n * SIZE));

/** Many queries in one piece. */
function queries(count: number): Uint8Array {
  return ALL.slice(0, count * SIZE);
}

function start(limits: { streams?: number; bytes?: number } = {}): Simulation {
  return new Simulation(". {\n timeouts {\n read 24h\n idle 24h\n }\n whoami\n}", { limits });
}

function open(simulation: Simulation, client: string, count: number, options: ClientOptions = {}) {
  return Array.from({ length: count }, () => simulation.openStream(0, { client, ...options }));
}

const alive = (streams: ClientStreamControl[]) => streams.filter((one) => !one.closed()).length;

const SHARES = [
  { opened: [100], held: [32] },
  { opened: [100, 100], held: [21, 22] },
  { opened: [5, 100], held: [5, 30] },
  { opened: [100, 100, 100], held: [16, 16, 16] },
  { opened: [100, 1, 1, 1], held: [31, 1, 1, 1] },
];

for (const { opened, held } of SHARES) {
  Deno.test(`of 64 connections, ${opened.join(" and ")} asked for are ${held.join(" and ")}`, () => {
    const simulation = start({ streams: 64 });
    const clients = opened.map((): ClientStreamControl[] => []);
    // By turns, so that nobody comes first with everything.
    for (let i = 0; i < Math.max(...opened); i++) {
      opened.forEach((count, n) => {
        if (i >= count) return;
        clients[n]!.push(simulation.openStream(0, { client: `192.0.2.${n}` }));
        simulation.run(1);
        assert.equal(clients[n]!.at(-1)!.closed(), false);
      });
    }
    assert.deepEqual(clients.map(alive), held);
    const sum = opened.reduce((a, b) => a + b) - held.reduce((a, b) => a + b);
    assert.deepEqual(closings(simulation), sum > 0 ? { share: sum } : {});
    assert.equal(simulation.count("nodens_streams"), held.reduce((a, b) => a + b));
  });
}

Deno.test("one client that holds what it can keeps no other out, and is not cut to nothing", () => {
  const simulation = start({ streams: 64 });
  const hog = open(simulation, HOG, 200);
  for (let i = 0; i < 100; i++) {
    const other = simulation.openStream(0, { client: `198.51.100.${i}` });
    other.send(query());
    assert.equal(other.received.length, 1);
    other.end();
    assert.equal(other.closed(), true);
    hog.push(...open(simulation, HOG, 5));
  }
  assert.equal(alive(hog), 32);
});

Deno.test("the connection that has been idle for the longest goes first", () => {
  const simulation = start({ streams: 8 });
  const streams = open(simulation, HOG, 4);
  for (const one of [2, 0, 3, 1, 2]) {
    simulation.run(10);
    streams[one]!.send(query());
  }
  const order: number[] = [];
  for (let i = 0; i < 3; i++) {
    streams.push(simulation.openStream(0, { client: HOG }));
    order.push(streams.findIndex((one, n) => one.closed() && !order.includes(n)));
  }
  assert.deepEqual(order, [0, 3, 1]);
});

Deno.test("no query that waits is lost for a client that holds as much", () => {
  const simulation = new Simulation(". {\n forward . 10.0.0.1\n}", { limits: { streams: 4 } });
  simulation.upstream("10.0.0.1:53", (question) => [{
    bytes: responseBytes(question, { answers: [a(question.questions![0]!.name, "192.0.2.7")] }),
    delayMs: 500,
  }]);
  const busy = [0, 1, 2, 3].map((n) => simulation.openStream(0, { client: `192.0.2.${n}` }));
  busy.forEach((one, id) => one.send(frame(queryBytes({ name: `n${id}.example.org`, id }))));
  assert.equal(simulation.openStream(0, { client: "192.0.2.9" }).closed(), true);
  assert.equal(simulation.counters.values[COUNTER.STREAMS_REFUSED], 1);
  simulation.run(600);
  assert.deepEqual(busy.map(({ received }) => received.length), [1, 1, 1, 1]);
  assert.equal(simulation.openStream(0, { client: "192.0.2.9" }).closed(), false);
});

Deno.test("a client with more connections gives one up even where all are busy", () => {
  const simulation = new Simulation(". {\n forward . 10.0.0.1\n}", { limits: { streams: 4 } });
  simulation.upstream("10.0.0.1:53", () => []);
  const hog = open(simulation, HOG, 2);
  for (const one of hog) one.send(query());
  const others = [3, 4, 5].map((n) => simulation.openStream(0, { client: `192.0.2.${n}` }));
  assert.deepEqual([alive(hog), alive(others)], [1, 3]);
});

Deno.test("an IPv6 network of 64 bits is one client", () => {
  const simulation = start({ streams: 8 });
  const network = Array.from(
    { length: 9 },
    (_, n) => simulation.openStream(0, { client: `2001:db8:0:1::${n}` }),
  );
  assert.equal(alive(network), 4);
  const others = [2, 3].map((n) => simulation.openStream(0, { client: `2001:db8:0:${n}::1` }));
  assert.deepEqual([alive(network), alive(others)], [4, 2]);
});

Deno.test("who does not read has the bytes of all within the budget, and others are served", () => {
  const bytes = 512 * 1024;
  const simulation = start({ bytes });
  const hog: ClientStreamControl[] = [];
  const reader = simulation.openStream(0, { client: OTHER });
  for (let i = 0; i < 200; i++) {
    const one = simulation.openStream(0, { client: HOG, takes: 0, kernelBytes: 8192 });
    one.send(queries(800));
    hog.push(one);
    simulation.run(0);
    reader.send(query(i));
    const { bytes: used } = simulation.engine.streams;
    assert.ok(used <= bytes / 2 + 65536, `${used} of ${bytes} bytes`);
    assert.equal(simulation.count("nodens_stream_bytes"), used);
  }
  assert.equal(reader.received.length, 200);
  assert.ok(alive(hog) > 5 && alive(hog) < 40, `${alive(hog)} left`);
  assert.deepEqual(closings(simulation), { budget: 200 - alive(hog) });
});

Deno.test("many clients that do not read have the bytes of all within the budget", () => {
  const bytes = 512 * 1024;
  const simulation = start({ bytes });
  const reader = simulation.openStream(0, { client: OTHER, takes: 3000 });
  reader.send(queries(100));
  for (let i = 0; i < 200; i++) {
    const one = simulation.openStream(0, { client: `198.51.100.${i}`, takes: 0 });
    one.send(queries(400));
    simulation.run(0);
    const { bytes: used } = simulation.engine.streams;
    assert.ok(used <= bytes, `${used} of ${bytes} bytes`);
  }
  assert.equal(reader.closed(), false);
  assert.ok((closings(simulation).budget ?? 0) > 100);
});

Deno.test("what a client has taken meanwhile does not count against it", () => {
  const simulation = start({ bytes: 256 * 1024 });
  const streams = open(simulation, HOG, 100, { takes: 0, kernelBytes: 1 << 20 });
  for (const stream of streams) {
    stream.send(queries(400));
    simulation.run(0);
    stream.take(1 << 20);
  }
  assert.deepEqual(closings(simulation), {});
  assert.equal(alive(streams), 100);
});

Deno.test("a stream of which the memory was counted leaves none behind, however it ends", () => {
  const simulation = start({ bytes: 256 * 1024 });
  const ends = [
    (one: ClientStreamControl) => one.reset(),
    (one: ClientStreamControl) => one.end(),
    (one: ClientStreamControl) => one.send(Uint8Array.of(0, 0)),
    (one: ClientStreamControl) => one.take(1 << 20),
  ];
  for (const end of ends) {
    const one = simulation.openStream(0, { client: HOG, takes: 0, kernelBytes: 6000 });
    // A frame that is not complete behind queries whose answers are not taken.
    one.send(Uint8Array.from([...queries(70), 0xff, 0xff, 1, 2, 3]));
    simulation.run(0);
    assert.ok(simulation.engine.streams.bytes > 0);
    end(one);
    one.take(1 << 20);
    if (!one.closed()) one.reset();
    assert.equal(simulation.engine.streams.bytes, 0);
  }
  assert.equal(simulation.engine.streams.size, 0);
});

Deno.test("an honest stop in the middle of large answers costs nothing but the wait", () => {
  const simulation = start();
  const one = simulation.openStream(0, { client: HOG, takes: 5000, kernelBytes: 8192 });
  one.send(queries(1000));
  simulation.run(3000);
  one.take(1 << 20);
  simulation.run(100);
  one.end();
  simulation.run(100);
  assert.equal(one.received.length, 1000);
  assert.equal(one.closing(), "in order");
});

Deno.test("what was asked before FIN is answered, and FIN waits until it is taken", () => {
  const simulation = start();
  const one = simulation.openStream(0, { client: HOG, takes: 0, kernelBytes: 1 << 20 });
  one.send(queries(300));
  one.end();
  for (let i = 0; i < 12; i++) {
    simulation.run(500);
    assert.equal(one.closed(), false);
    one.take(1500);
  }
  one.take(1 << 20);
  simulation.run(100);
  assert.equal(one.received.length, 300);
  assert.equal(one.closing(), "in order");
  assert.deepEqual(closings(simulation), {});
});

Deno.test("who asks, sends FIN and does not read is closed at once after the write time", () => {
  const simulation = start();
  const one = simulation.openStream(0, { client: HOG, takes: 0, kernelBytes: 1 << 20 });
  one.send(queries(300));
  one.end();
  simulation.run(4900);
  assert.equal(one.closed(), false);
  simulation.run(200);
  assert.equal(one.closing(), "abrupt");
  assert.deepEqual(closings(simulation), { slow: 1 });
});

Deno.test("nothing is answered for a client that takes nothing, beyond one batch", () => {
  const simulation = start();
  const one = simulation.openStream(0, { client: HOG, takes: 0 });
  one.send(queries(5000));
  simulation.run(1000);
  assert.ok(one.queued() < 2 * 16 * 1024 + 128, `${one.queued()} bytes`);
});

Deno.test("no stream has more than its turn before others, and a round no more than its queries", () => {
  const simulation = start();
  const streams = open(simulation, HOG, 10);
  const counts = () => streams.map(({ received }) => received.length);
  const rounds: number[][] = [];
  const { engine } = simulation;
  const { runTurns } = engine.streams;
  engine.streams.runTurns = () => {
    const before = counts();
    runTurns.call(engine.streams);
    rounds.push(counts().map((count, i) => count - before[i]!));
  };
  // All at one moment: what is read then belongs to one round.
  for (const stream of streams) stream.send(queries(300));
  simulation.run(0);
  assert.deepEqual(counts(), streams.map(() => 300));
  for (const round of rounds) {
    assert.ok(Math.max(...round) <= QUANTUM, `${round}`);
    assert.ok(round.reduce((a, b) => a + b) < ROUND_QUANTUM + QUANTUM, `${round}`);
  }
  assert.ok(rounds.length > 3000 / ROUND_QUANTUM / 2);
});

Deno.test("queries that wait, and large answers, use a turn up sooner", () => {
  const simulation = new Simulation(". {\n forward . 10.0.0.1\n}");
  simulation.upstream("10.0.0.1:53", () => []);
  const pieces = Array.from({ length: 40 }, (_, id) => [
    ...frame(queryBytes({ name: `n${id}.example.org`, id })),
  ]);
  simulation.openStream().send(Uint8Array.from(pieces.flat()));
  // One turn when they came, one at the end of that round.
  assert.equal(simulation.engine.waiting, 2 * QUANTUM / WAIT_COST);
  simulation.run(0);
  assert.equal(simulation.engine.waiting, 40);
  assert.deepEqual([0, 100, 4096, 65_535].map(costOf), [WAIT_COST, 1, 33, 512]);
});

Deno.test("nothing is lost or out of order, however the queries are cut and read", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = seeded(seed);
    const simulation = start();
    const count = 1 + random() % 700;
    const one = simulation.openStream(0, {
      takes: random() % 2 === 0 ? Infinity : random() % 9000,
      kernelBytes: random() % 20_000,
    });
    const all = queries(count);
    for (let at = 0; at < all.length;) {
      const size = 1 + random() % 5000;
      one.send(all.slice(at, at + size));
      at += size;
      if (random() % 3 === 0) simulation.run(random() % 3);
      if (random() % 3 === 0) one.take(random() % 9000);
    }
    one.end();
    for (let i = 0; i < 200 && !one.closed(); i++) {
      simulation.run(100);
      one.take(9000);
    }
    // The kernel has the rest.
    one.take(1 << 20);
    assert.deepEqual(
      one.received.map((bytes) => decode(bytes).id),
      Array.from({ length: count }, (_, id) => id),
      `seed ${seed}`,
    );
    assert.equal(one.closing(), "in order", `seed ${seed}`);
    assert.equal(simulation.engine.streams.bytes, 0, `seed ${seed}`);
  }
});

const FRAMES = [
  { what: "length 0", bytes: [0, 0], reason: "protocol", atMs: 0 },
  { what: "length 11", bytes: [0, 11, ...Array(11).fill(0)], reason: "protocol", atMs: 0 },
  {
    what: "a response",
    bytes: [0, 12, 0, 1, 0x80, ...Array(9).fill(0)],
    reason: "protocol",
    atMs: 0,
  },
  { what: "one octet of a length", bytes: [0], reason: "idle", atMs: 3000 },
  { what: "length 65,535, without end", bytes: [0xff, 0xff, 7], reason: "idle", atMs: 3000 },
];

for (const { what, bytes, reason, atMs } of FRAMES) {
  Deno.test(`a frame of ${what} is closed as ${reason} after ${atMs} ms`, () => {
    const simulation = new Simulation(". {\n whoami\n}");
    const one = simulation.openStream();
    one.send(Uint8Array.from(bytes));
    if (atMs > 0) {
      simulation.run(atMs - 10);
      assert.equal(one.closed(), false);
      simulation.run(20);
    }
    assert.equal(one.closing(), "in order");
    assert.deepEqual(closings(simulation), { [reason]: 1 });
    assert.equal(simulation.engine.streams.bytes, 0);
  });
}

Deno.test("one octet at a time wins no time, neither before the first query nor after", () => {
  for (const first of [true, false]) {
    const simulation = new Simulation(". {\n whoami\n}");
    const one = simulation.openStream();
    if (!first) one.send(query());
    one.send(Uint8Array.of(0xff, 0xff));
    const limitMs = first ? 3000 : 10_000;
    for (let atMs = 0; atMs < limitMs - 100; atMs += 100) {
      simulation.run(100);
      one.send(Uint8Array.of(7));
      assert.equal(one.closed(), false);
    }
    simulation.run(200);
    assert.equal(one.closed(), true);
    assert.deepEqual(closings(simulation), { idle: 1 });
  }
});

Deno.test("unfinished frames of 65,535 octets stay within the budget", () => {
  const bytes = 1 << 20;
  const simulation = start({ bytes });
  const piece = new Uint8Array(60_000);
  piece.fill(0xff, 0, 2);
  const streams = open(simulation, HOG, 30);
  for (const one of streams) {
    one.send(piece);
    assert.ok(simulation.engine.streams.bytes <= bytes / 2 + 131_072);
  }
  assert.ok(alive(streams) >= 4);
  assert.deepEqual(closings(simulation), { budget: 30 - alive(streams) });
});

Deno.test("answers that waited are within the budget as well", () => {
  const bytes = 1 << 20;
  const simulation = new Simulation(". {\n forward . 10.0.0.1\n}", { limits: { bytes } });
  const text = "x".repeat(250);
  simulation.upstream("10.0.0.1:53", (question, transport) => [{
    bytes: transport === "udp"
      ? responseBytes(question, { truncated: true })
      : responseBytes(question, {
        answers: Array.from({ length: 150 }, () => ({
          type: "TXT" as const,
          name: question.questions![0]!.name,
          ttl: 60,
          data: text,
        })),
      }),
    delayMs: 100,
  }]);
  const one = simulation.openStream(0, { client: HOG, takes: 0 });
  for (let id = 0; id < 100; id++) {
    one.send(frame(queryBytes({ name: `n${id}.example.org`, type: "TXT", id })));
  }
  let most = 0;
  for (let i = 0; i < 400; i++) {
    simulation.run(1);
    most = Math.max(most, simulation.engine.streams.bytes);
  }
  assert.ok(most <= bytes, `${most} bytes`);
  assert.equal(one.closing(), "abrupt");
  assert.deepEqual(closings(simulation), { budget: 1 });
  simulation.run(10_000);
  assert.equal(simulation.engine.waiting, 0);
});

Deno.test("a query over which nodens fails costs its connection alone, and nothing is left of it", () => {
  const simulation = start();
  const { engine } = simulation;
  const [bad, good] = [HOG, OTHER].map((client) => simulation.openStream(0, { client }));
  const { streamQuery } = engine;
  engine.streamQuery = () => {
    throw new Error("a fault");
  };
  assert.throws(() => bad!.send(queries(200)), /a fault/);
  engine.streamQuery = streamQuery;
  good!.send(queries(200));
  simulation.run(0);
  assert.deepEqual([bad!.closed(), good!.received.length], [true, 200]);
  assert.equal(engine.streams.size, 1);
  assert.equal(engine.streams.bytes, 0);
});

Deno.test("a connection that exceeds the budget by its first response is closed once", () => {
  const simulation = start({ bytes: 20_000 });
  for (let i = 0; i < 50; i++) {
    const one = simulation.openStream(0, { client: HOG, takes: 0 });
    one.send(queries(300));
    one.end();
    simulation.run(0);
  }
  simulation.run(10_000);
  assert.equal(simulation.engine.streams.size, 0);
  assert.equal(simulation.engine.streams.bytes, 0);
  assert.equal(simulation.count("nodens_streams_closed_total"), 50);
});

Deno.test("a listener that goes answers every query that was read for it", () => {
  const block = (port: number) => `.:${port} {\n whoami\n}\n`;
  const simulation = new Simulation(block(53) + block(1053));
  const one = simulation.openStream(1);
  const read = Array.from({ length: QUANTUM + 20 }, (_, id) => [...shortQuery(id)]).flat();
  // They come in one piece, more than one turn.
  assert.ok(read.length < 2048 * 2);
  one.send(Uint8Array.from(read));
  simulation.reload(block(53));
  assert.equal(one.received.length, QUANTUM + 20);
  assert.equal(one.finished(), true);
  one.end();
  assert.equal(one.closed(), true);
});

/** A client with answers to take whose listener a reload removes. */
function withoutListener(): { simulation: Simulation; client: ClientStreamControl; count: number } {
  const block = (port: number) => `.:${port} {\n whoami\n}\n`;
  const simulation = new Simulation(block(53) + block(1053));
  const client = simulation.openStream(1, { takes: 0 });
  const count = 60;
  for (let id = 0; id < count; id++) client.send(shortQuery(id));
  simulation.reload(block(53));
  return { simulation, client, count };
}

Deno.test("a listener that goes lets a slow reader take its answers, then waits for FIN", () => {
  const { simulation, client, count } = withoutListener();
  for (let i = 0; i < 60 && client.received.length < count; i++) {
    client.take(150);
    simulation.run(100);
  }
  assert.equal(client.received.length, count);
  assert.equal(client.finished(), true);
  simulation.run(2000);
  assert.equal(client.closing(), "in order");
  assert.deepEqual(closings(simulation), {});
});

Deno.test("a listener that goes does not wait for who takes nothing", () => {
  const { simulation, client } = withoutListener();
  simulation.run(4990);
  assert.equal(client.closed(), false);
  simulation.run(20);
  assert.equal(client.closing(), "abrupt");
  assert.deepEqual(closings(simulation), { slow: 1 });
  assert.equal(simulation.engine.streams.bytes, 0);
});

/** A query of 19 octets with its length: more than a turn's fit into one read. */
function shortQuery(id: number): Uint8Array {
  return frame(queryBytes({ name: ".", id }));
}
