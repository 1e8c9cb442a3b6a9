import assert from "node:assert/strict";
import { COUNTER } from "../../../src/engine/counters.ts";
import {
  costOf,
  QUANTUM,
  ROUND_QUANTUM,
  WAIT_COST,
} from "../../../src/engine/clients/stream_limits.ts";
import { answering, closings } from "../../support/engine/scenario.ts";
import { decode, queryBytes, responseBytes } from "../../support/messages/messages.ts";
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

function queries(count: number): Uint8Array {
  return ALL.slice(0, count * SIZE);
}

function start(limits: { streams?: number; bytes?: number } = {}): Simulation {
  return new Simulation(". {\n timeouts {\n read 24h\n idle 24h\n }\n whoami\n}", { limits });
}

function open(simulation: Simulation, client: string, count: number, options: ClientOptions = {}) {
  return Array.from({ length: count }, () => simulation.openStream(0, { client, ...options }));
}

function assertNoStreams({ engine: { streams } }: Simulation): void {
  assert.deepEqual([streams.size, streams.bytes], [0, 0]);
}

const alive = (streams: ClientStreamControl[]) => streams.filter((one) => !one.closed()).length;

const SHARES: [opened: number[], held: number[]][] = [
  [[100], [32]],
  [[100, 100], [21, 22]],
  [[5, 100], [5, 30]],
  [[100, 100, 100], [16, 16, 16]],
  [[100, 1, 1, 1], [31, 1, 1, 1]],
];

for (const [opened, held] of SHARES) {
  Deno.test(`64 connections: ${held.join(" and ")} of ${opened.join(" and ")} opened are kept`, () => {
    const simulation = start({ streams: 64 });
    const clients = opened.map((): ClientStreamControl[] => []);
    // In turn, so that no client opens all its connections first.
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

Deno.test("one client with all connections does not exclude others, and keeps some", () => {
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

Deno.test("the longest idle connection is closed first", () => {
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

Deno.test("a client does not lose a waiting query to one with as many connections", () => {
  const simulation = new Simulation(". {\n forward . 10.0.0.1\n}", { limits: { streams: 4 } });
  simulation.upstream("10.0.0.1:53", answering("192.0.2.7", { delayMs: 500 }));
  const busy = [0, 1, 2, 3].map((n) => simulation.openStream(0, { client: `192.0.2.${n}` }));
  busy.forEach((one, id) => one.send(frame(queryBytes({ name: `n${id}.example.org`, id }))));
  assert.equal(simulation.openStream(0, { client: "192.0.2.9" }).closed(), true);
  assert.equal(simulation.counters.values[COUNTER.STREAMS_REFUSED], 1);
  simulation.run(600);
  assert.deepEqual(busy.map(({ received }) => received.length), [1, 1, 1, 1]);
  assert.equal(simulation.openStream(0, { client: "192.0.2.9" }).closed(), false);
});

Deno.test("a client with more connections loses one even if all are busy", () => {
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

Deno.test("a client that does not read stays within the byte budget, and others are served", () => {
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

Deno.test("many clients that do not read stay within the byte budget", () => {
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

Deno.test("octets that a client has received are no longer counted", () => {
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

Deno.test("a stream's memory is released however it ends", () => {
  const simulation = start({ bytes: 256 * 1024 });
  const ends = [
    (one: ClientStreamControl) => one.reset(),
    (one: ClientStreamControl) => one.end(),
    (one: ClientStreamControl) => one.send(Uint8Array.of(0, 0)),
    (one: ClientStreamControl) => one.take(1 << 20),
  ];
  for (const end of ends) {
    const one = simulation.openStream(0, { client: HOG, takes: 0, kernelBytes: 6000 });
    // An incomplete frame after queries with undelivered answers.
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

Deno.test("a client that pauses within large answers still gets all of them", () => {
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

Deno.test("queries before FIN are answered, and FIN follows the answers", () => {
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

Deno.test("a client that asks, sends FIN and does not read is reset after the write timeout", () => {
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

Deno.test("a client that receives nothing gets at most one batch of answers", () => {
  const simulation = start();
  const one = simulation.openStream(0, { client: HOG, takes: 0 });
  one.send(queries(5000));
  simulation.run(1000);
  assert.ok(one.queued() < 2 * 16 * 1024 + 128, `${one.queued()} bytes`);
});

Deno.test("turns and rounds are bounded", () => {
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
  for (const stream of streams) stream.send(queries(300));
  simulation.run(0);
  assert.deepEqual(counts(), streams.map(() => 300));
  for (const round of rounds) {
    assert.ok(Math.max(...round) <= QUANTUM, `${round}`);
    assert.ok(round.reduce((a, b) => a + b) < ROUND_QUANTUM + QUANTUM, `${round}`);
  }
  assert.ok(rounds.length > 3000 / ROUND_QUANTUM / 2);
});

Deno.test("waiting queries and large answers end a turn sooner", () => {
  const simulation = new Simulation(". {\n forward . 10.0.0.1\n}");
  simulation.upstream("10.0.0.1:53", () => []);
  const pieces = Array.from({ length: 40 }, (_, id) => [
    ...frame(queryBytes({ name: `n${id}.example.org`, id })),
  ]);
  simulation.openStream().send(Uint8Array.from(pieces.flat()));
  assert.equal(simulation.engine.waiting, 2 * QUANTUM / WAIT_COST);
  simulation.run(0);
  assert.equal(simulation.engine.waiting, 40);
  assert.deepEqual([0, 100, 4096, 65_535].map(costOf), [WAIT_COST, 1, 33, 512]);
});

Deno.test("answers are complete and in order, however queries are cut and read", () => {
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

const FRAMES: [what: string, bytes: number[], reason: string, atMs: number][] = [
  ["length 0", [0, 0], "protocol", 0],
  ["length 11", [0, 11, ...Array(11).fill(0)], "protocol", 0],
  ["a response", [0, 12, 0, 1, 0x80, ...Array(9).fill(0)], "protocol", 0],
  ["one octet of a length", [0], "idle", 3000],
  ["length 65,535 without an end", [0xff, 0xff, 7], "idle", 3000],
];

for (const [what, bytes, reason, atMs] of FRAMES) {
  Deno.test(`a frame of ${what} closes the stream after ${atMs} ms: ${reason}`, () => {
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

Deno.test("single octets do not extend the timeout, before or after the first query", () => {
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

Deno.test("answers that waited for an upstream are within the budget", () => {
  const bytes = 1 << 20;
  const simulation = new Simulation(". {\n forward . 10.0.0.1\n}", { limits: { bytes } });
  const text = "x".repeat(250);
  simulation.upstream("10.0.0.1:53", (question, transport) => {
    const answer = {
      type: "TXT",
      name: question.questions![0]!.name,
      ttl: 60,
      data: text,
    } as const;
    const options = transport === "udp"
      ? { truncated: true }
      : { answers: Array(150).fill(answer) };
    return [{ bytes: responseBytes(question, options), delayMs: 100 }];
  });
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

Deno.test("a query whose handler throws costs only its connection, and leaves nothing behind", () => {
  const simulation = start();
  const { engine } = simulation;
  const [bad, good] = [HOG, OTHER].map((client) => simulation.openStream(0, { client }));
  const { query } = engine;
  engine.query = () => {
    throw new Error("a fault");
  };
  assert.throws(() => bad!.send(queries(200)), /a fault/);
  engine.query = query;
  good!.send(queries(200));
  simulation.run(0);
  assert.deepEqual([bad!.closed(), good!.received.length], [true, 200]);
  assert.equal(engine.streams.size, 1);
  assert.equal(engine.streams.bytes, 0);
});

Deno.test("a connection whose first response exceeds the budget is closed once", () => {
  const simulation = start({ bytes: 20_000 });
  for (let i = 0; i < 50; i++) {
    const one = simulation.openStream(0, { client: HOG, takes: 0 });
    one.send(queries(300));
    one.end();
    simulation.run(0);
  }
  simulation.run(10_000);
  assertNoStreams(simulation);
  assert.equal(simulation.count("nodens_streams_closed_total"), 50);
});

Deno.test("a removed listener answers every query that was read", () => {
  const block = (port: number) => `.:${port} {\n whoami\n}\n`;
  const simulation = new Simulation(block(53) + block(1053));
  const one = simulation.openStream(1);
  const read = Array.from({ length: QUANTUM + 20 }, (_, id) => [...shortQuery(id)]).flat();
  assert.ok(read.length < 2048 * 2);
  one.send(Uint8Array.from(read));
  simulation.reload(block(53));
  assert.equal(one.received.length, QUANTUM + 20);
  assert.equal(one.finished(), true);
  one.end();
  assert.equal(one.closed(), true);
});

/** A client with undelivered answers whose listener a reload removes. */
function withoutListener(): { simulation: Simulation; client: ClientStreamControl; count: number } {
  const block = (port: number) => `.:${port} {\n whoami\n}\n`;
  const simulation = new Simulation(block(53) + block(1053));
  const client = simulation.openStream(1, { takes: 0 });
  const count = 60;
  for (let id = 0; id < count; id++) client.send(shortQuery(id));
  simulation.reload(block(53));
  return { simulation, client, count };
}

Deno.test("a removed listener lets a slow reader receive its answers, then waits for FIN", () => {
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

Deno.test("a removed listener does not wait for a client that receives nothing", () => {
  const { simulation, client } = withoutListener();
  simulation.run(4990);
  assert.equal(client.closed(), false);
  simulation.run(20);
  assert.equal(client.closing(), "abrupt");
  assert.deepEqual(closings(simulation), { slow: 1 });
  assert.equal(simulation.engine.streams.bytes, 0);
});

/** A query of 19 octets with its length: one read contains more than a turn. */
function shortQuery(id: number): Uint8Array {
  return frame(queryBytes({ name: ".", id }));
}
