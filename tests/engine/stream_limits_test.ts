/** How long clients may keep TCP connections open, and for how many queries (`timeouts`). */
import assert from "node:assert/strict";
import { decode, queryBytes, responseBytes } from "../support/messages.ts";
import { frame, Simulation } from "../support/simulation.ts";

/** A simulation in which a client reads as told. */
class Readers extends Simulation {
  /** What waits for each client. */
  waiting = 0;
  /** How streams were closed. */
  readonly closings: string[] = [];

  override queued(_stream: number): number {
    return this.waiting;
  }

  override close(stream: number, abrupt = false): void {
    this.closings.push(abrupt ? "abrupt" : "in order");
    super.close(stream);
  }
}

const query = (id = 1) => frame(queryBytes({ name: "www.example.org", id }));

function start(timeouts: string): Readers {
  const block = timeouts === "" ? "" : `timeouts {\n${timeouts}\n}\n`;
  return new Readers(`. {\n${block}whoami\n}`);
}

const READ = [
  { timeouts: "", ms: 3000 },
  { timeouts: "read 1s", ms: 1000 },
  { timeouts: "read 1m\nidle 1s", ms: 60_000 },
];

for (const { timeouts, ms } of READ) {
  Deno.test(`the first query may take ${ms} ms with "${timeouts.replace("\n", ", ")}"`, () => {
    const simulation = start(timeouts);
    const stream = simulation.openStream();
    // Part of a query is none.
    simulation.run(ms / 2);
    stream.send(query().slice(0, 5));
    simulation.run(ms / 2 - 10);
    assert.equal(stream.closed(), false);
    simulation.run(20);
    assert.equal(stream.closed(), true);
    assert.deepEqual(simulation.closings, ["in order"]);
  });
}

const IDLE = [
  { timeouts: "", ms: 10_000 },
  { timeouts: "idle 2s", ms: 2000 },
  { timeouts: "idle 1h\nread 1s", ms: 3_600_000 },
];

for (const { timeouts, ms } of IDLE) {
  Deno.test(`each further query may take ${ms} ms with "${timeouts.replace("\n", ", ")}"`, () => {
    const simulation = start(timeouts);
    const stream = simulation.openStream();
    for (let i = 0; i < 3; i++) {
      stream.send(query());
      simulation.run(ms - 200);
      assert.equal(stream.closed(), false);
    }
    simulation.run(400);
    assert.equal(stream.received.length, 3);
    assert.equal(stream.closed(), true);
  });
}

const WRITE = [
  { timeouts: "", ms: 5000 },
  { timeouts: "write 30s\nidle 1s\nread 1s", ms: 30_000 },
];

for (const { timeouts, ms } of WRITE) {
  const title = timeouts.replaceAll("\n", ", ");
  Deno.test(`a client that takes nothing is cut off after ${ms} ms with "${title}"`, () => {
    const simulation = start(timeouts);
    const stream = simulation.openStream();
    simulation.waiting = 40;
    stream.send(query());
    simulation.run(ms - 10);
    assert.equal(stream.closed(), false);
    simulation.run(20);
    assert.deepEqual(simulation.closings, ["abrupt"]);
    assert.equal(simulation.engine.streamCount, 0);
  });

  Deno.test(`a client that reads slowly is not cut off with "${title}"`, () => {
    const simulation = start(timeouts);
    const stream = simulation.openStream();
    simulation.waiting = 40;
    stream.send(query());
    for (; simulation.waiting > 0; simulation.waiting--) {
      simulation.run(ms - 10);
      assert.equal(stream.closed(), false);
    }
  });
}

Deno.test("a client that has taken all has the idle time from then on", () => {
  const simulation = start("write 30s\nidle 2s");
  let handler: { drained?(): void } | null = null;
  const { engine } = simulation;
  const accept = engine.accept.bind(engine);
  engine.accept = (listener, id) => handler = accept(listener, id) as never;
  const stream = simulation.openStream();
  simulation.waiting = 40;
  stream.send(query());
  simulation.run(20_000);
  simulation.waiting = 0;
  handler!.drained!();
  simulation.run(1900);
  assert.equal(stream.closed(), false);
  simulation.run(200);
  assert.deepEqual(simulation.closings, ["in order"]);
});

const COUNTS = [
  { timeouts: "maxtcpqueries 1", sent: 3, answered: 1, closed: true },
  { timeouts: "maxtcpqueries 3", sent: 5, answered: 3, closed: true },
  { timeouts: "maxtcpqueries 3", sent: 3, answered: 3, closed: true },
  { timeouts: "maxtcpqueries 3", sent: 2, answered: 2, closed: false },
  { timeouts: "maxtcpqueries -1", sent: 300, answered: 300, closed: false },
  { timeouts: "", sent: 300, answered: 300, closed: false },
];

for (const { timeouts, sent, answered, closed } of COUNTS) {
  for (const how of ["one by one", "at once"]) {
    Deno.test(`"${timeouts}": ${answered} of ${sent} queries, sent ${how}, are answered`, () => {
      const simulation = start(timeouts);
      const stream = simulation.openStream();
      const frames = Array.from({ length: sent }, (_, i) => query(i + 1));
      if (how === "one by one") { for (const one of frames) stream.send(one); }
      else stream.send(Uint8Array.from(frames.flatMap((one) => [...one])));
      assert.deepEqual(
        stream.received.map((bytes) => decode(bytes).id),
        Array.from({ length: answered }, (_, i) => i + 1),
      );
      assert.equal(stream.closed(), closed);
    });
  }
}

Deno.test("the last queries of a connection may wait for an upstream", () => {
  const simulation = new Readers(
    ". {\n timeouts {\n maxtcpqueries 2\n idle 1s\n }\n forward . 10.0.0.1\n}",
  );
  simulation.upstream("10.0.0.1:53", (question) => [{
    bytes: responseBytes(question),
    delayMs: 1500,
  }]);
  const stream = simulation.openStream();
  stream.send(Uint8Array.from([...query(1), ...query(2), ...query(3)]));
  stream.send(query(4));
  simulation.run(1400);
  assert.equal(stream.closed(), false);
  simulation.run(200);
  assert.deepEqual(stream.received.map((bytes) => decode(bytes).id).sort(), [1, 2]);
  assert.equal(stream.closed(), true);
  assert.equal(simulation.engine.waiting, 0);
});

Deno.test("limits are those of the listener", () => {
  const simulation = new Readers(
    "a.test:53 b.test:1053 {\n timeouts {\n idle 1s\n }\n whoami\n}\n" +
      "c.test:2053 {\n whoami\n}\nd.test:1053 {\n timeouts {\n idle 5s\n }\n whoami\n}\n",
  );
  const streams = [0, 1, 2].map((listener) => simulation.openStream(listener));
  for (const stream of streams) stream.send(query());
  const open = () => streams.map((stream) => !stream.closed());
  simulation.run(900);
  assert.deepEqual(open(), [true, true, true]);
  simulation.run(200);
  assert.deepEqual(open(), [false, true, true]);
  simulation.run(3800);
  assert.deepEqual(open(), [false, true, true]);
  simulation.run(200);
  assert.deepEqual(open(), [false, false, true]);
  simulation.run(5000);
  assert.deepEqual(open(), [false, false, false]);
});
