import assert from "node:assert/strict";
import { closings } from "../../support/engine/scenario.ts";
import { decode, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import { frame, Simulation } from "../../support/simulation/simulation.ts";

const query = (id = 1) => frame(queryBytes({ name: "www.example.org", id }));

function start(timeouts: string): Simulation {
  const block = timeouts === "" ? "" : `timeouts {\n${timeouts}\n}\n`;
  return new Simulation(`. {\n${block}whoami\n}`);
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
    // Part of a query does not count.
    simulation.run(ms / 2);
    stream.send(query().slice(0, 5));
    simulation.run(ms / 2 - 10);
    assert.equal(stream.closed(), false);
    simulation.run(20);
    assert.equal(stream.closed(), true);
    assert.equal(stream.closing(), "in order");
    assert.deepEqual(closings(simulation), { idle: 1 });
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

  for (const rate of [0, 1, 500]) {
    Deno.test(`a client that receives ${rate} octets a second is cut off after ${ms} ms with "${title}"`, () => {
      const simulation = start(timeouts);
      const stream = simulation.openStream(0, { takes: 0 });
      for (let id = 0; id < 500; id++) stream.send(query(id));
      simulation.run(0);
      for (let second = 1; second < ms / 1000; second++) {
        simulation.run(1000);
        stream.take(rate);
        assert.equal(stream.closed(), false);
      }
      simulation.run(1010);
      assert.equal(stream.closing(), "abrupt");
      assert.equal(simulation.engine.streams.size, 0);
      assert.equal(simulation.engine.streams.bytes, 0);
      assert.deepEqual(closings(simulation), { slow: 1 });
    });
  }

  Deno.test(`a client that receives 1,500 octets a second gets everything with "${title}"`, () => {
    const simulation = start(timeouts);
    const stream = simulation.openStream(0, { takes: 0 });
    const sent = 500;
    for (let id = 0; id < sent; id++) stream.send(query(id));
    for (let second = 0; second < 1000 && stream.received.length < sent; second++) {
      simulation.run(990);
      stream.take(1500);
      simulation.run(10);
      assert.equal(stream.closed(), false);
    }
    assert.deepEqual(
      stream.received.map((bytes) => decode(bytes).id),
      Array.from({ length: sent }, (_, id) => id),
    );
    assert.deepEqual(closings(simulation), {});
  });
}

Deno.test("the idle timeout starts when the client has received everything", () => {
  const simulation = start("write 30s\nidle 2s");
  const stream = simulation.openStream(0, { takes: 0 });
  stream.send(query());
  simulation.run(20_000);
  stream.take(1000);
  simulation.run(1900);
  assert.equal(stream.closed(), false);
  simulation.run(200);
  assert.equal(stream.closing(), "in order");
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
      simulation.run(0);
      assert.deepEqual(
        stream.received.map((bytes) => decode(bytes).id),
        Array.from({ length: answered }, (_, i) => i + 1),
      );
      assert.equal(stream.closed(), closed);
    });
  }
}

Deno.test("the last queries of a connection may wait for an upstream", () => {
  const simulation = new Simulation(
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

Deno.test("limits apply to the listener that configures them", () => {
  const simulation = new Simulation(
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
