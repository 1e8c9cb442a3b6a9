/** TCP streams when the process stops: queries already read are answered, then FIN is sent. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { answering, closings } from "../../support/engine/scenario.ts";
import { queryBytes } from "../../support/messages/messages.ts";
import { frame, Simulation } from "../../support/simulation/simulation.ts";

function start(delayMs = 1): Simulation {
  const simulation = new Simulation(". {\n forward . 10.0.0.1\n}\n");
  simulation.upstream("10.0.0.1:53", answering("192.0.2.1", { delayMs }));
  return simulation;
}

const query = (id = 1) => frame(queryBytes({ name: `n${id}.example.org`, id }));

Deno.test("drain: a silent stream gets FIN soon, and is closed when the client closes", () => {
  const simulation = start();
  const stream = simulation.openStream();
  stream.send(query());
  simulation.run(50);
  simulation.engine.streams.drain();
  simulation.run(90);
  assert.equal(stream.finished(), false);
  simulation.run(20);
  assert.equal(stream.finished(), true);
  assert.equal(simulation.engine.streams.size, 1);
  stream.end();
  assert.equal(simulation.engine.streams.size, 0);
  assert.equal(stream.closed(), true);
});

Deno.test("drain: a client that never closes its side does not delay the stop", () => {
  const simulation = start();
  const stream = simulation.openStream();
  simulation.engine.streams.drain();
  simulation.run(900);
  assert.equal(stream.finished(), false);
  simulation.run(200);
  assert.equal(stream.finished(), true);
  // Data after the FIN is read to avoid a reset, but not answered.
  stream.send(query());
  simulation.run(1500);
  assert.equal(stream.closed(), false);
  simulation.run(500);
  assert.equal(stream.closed(), true);
  assert.equal(stream.received.length, 0);
});

Deno.test("drain: queries that wait for an upstream are answered before FIN", () => {
  const simulation = start(700);
  const stream = simulation.openStream();
  stream.send(query(1));
  stream.send(query(2));
  simulation.engine.streams.drain();
  simulation.run(600);
  assert.equal(stream.finished(), false);
  simulation.run(300);
  assert.equal(stream.received.length, 2);
  assert.equal(stream.finished(), true);
});

Deno.test("drain: a client that asks constantly gets FIN after an answer", () => {
  const simulation = start();
  const stream = simulation.openStream();
  simulation.engine.streams.drain();
  let sent = 0;
  while (!stream.finished() && sent < 1000) {
    stream.send(query(++sent));
    simulation.run(10);
  }
  assert.ok(sent >= 100 && sent < 110, `${sent} queries`);
  assert.equal(stream.received.length, sent);
});

Deno.test("drain: the rest of a query has a time limit", () => {
  for (const comes of [true, false]) {
    const simulation = start();
    const stream = simulation.openStream();
    const bytes = query();
    stream.send(bytes.slice(0, 7));
    simulation.engine.streams.drain();
    simulation.run(2000);
    assert.equal(stream.finished(), false);
    if (comes) stream.send(bytes.slice(7));
    simulation.run(1100);
    assert.equal(stream.finished(), true);
    assert.equal(stream.received.length, comes ? 1 : 0);
  }
});

const BIG = `. {\n hosts /dev/null {\n ${
  Array.from({ length: 100 }, (_, i) => `192.0.2.${i} big.example.org`).join("\n")
}\n }\n}`;
const big = (id: number) => frame(queryBytes({ name: "big.example.org", id }));

Deno.test("drain: a slow reader gets all answers before FIN", () => {
  const simulation = new Simulation(BIG);
  const stream = simulation.openStream(0, { takes: 0 });
  for (let id = 0; id < 20; id++) stream.send(big(id));
  simulation.engine.streams.drain();
  for (let i = 0; i < 49 && stream.received.length < 20; i++) {
    stream.take(1000);
    simulation.run(100);
  }
  assert.equal(stream.received.length, 20);
  assert.equal(stream.closed(), false);
  simulation.run(200);
  assert.equal(stream.finished(), true);
  stream.end();
  assert.equal(stream.closing(), "in order");
  assert.deepEqual(closings(simulation), {});
});

Deno.test("drain: a client that receives nothing has five seconds, and its memory counts until then", () => {
  const simulation = new Simulation(BIG);
  const stream = simulation.openStream(0, { takes: 0 });
  for (let id = 0; id < 200; id++) stream.send(big(id));
  simulation.engine.streams.drain();
  simulation.run(4990);
  assert.equal(stream.closed(), false);
  assert.ok(simulation.engine.streams.bytes >= stream.queued());
  simulation.run(20);
  assert.equal(stream.closing(), "abrupt");
  assert.equal(simulation.engine.streams.size, 0);
  assert.equal(simulation.engine.streams.bytes, 0);
  assert.deepEqual(closings(simulation), { slow: 1 });
});

Deno.test("drain: an unanswered query does not keep a stream beyond the drain time", () => {
  const simulation = start(60_000);
  const stream = simulation.openStream();
  stream.send(query());
  simulation.engine.streams.drain();
  simulation.run(5010);
  assert.equal(simulation.engine.streams.size, 0);
  simulation.run(60_000);
  assert.equal(simulation.engine.waiting, 0);
});

Deno.test("drain: a client that has sent FIN is not kept beyond the drain time", () => {
  for (const stops of [false, true]) {
    const simulation = new Simulation(BIG);
    const stream = simulation.openStream(0, { takes: 0 });
    for (let id = 0; id < 10; id++) stream.send(big(id));
    stream.end();
    for (let second = 0; second < 10; second++) {
      if (stops && second === 4) simulation.engine.streams.drain();
      // Fast enough for the write timeout, too slow for everything in ten seconds.
      stream.take(1100);
      simulation.run(1000);
    }
    assert.equal(stream.closed(), stops);
    if (stops) assert.equal(simulation.engine.streams.bytes, 0);
  }
});

Deno.test("drain: a reset after FIN ends a stream like a FIN", () => {
  const simulation = start();
  const stream = simulation.openStream();
  simulation.engine.streams.drain();
  simulation.run(1100);
  assert.equal(stream.finished(), true);
  stream.reset();
  assert.equal(simulation.engine.streams.size, 0);
  assert.deepEqual(closings(simulation), {});
});

Deno.test("drain: every query read before FIN is answered, whatever a client does", () => {
  const step = fc.record({ count: fc.nat({ max: 3 }), pauseMs: fc.nat({ max: 150 }) });
  fc.assert(fc.property(
    fc.array(step, { maxLength: 40 }),
    fc.integer({ min: 1, max: 400 }),
    (steps, delayMs) => {
      const simulation = start(delayMs);
      const stream = simulation.openStream();
      let sent = 0;
      steps.forEach(({ count, pauseMs }, i) => {
        if (i === 3) simulation.engine.streams.drain();
        for (let n = 0; n < count && !stream.finished() && !stream.closed(); n++) {
          stream.send(query(++sent));
        }
        simulation.run(pauseMs);
      });
      simulation.engine.streams.drain();
      simulation.run(5000);
      assert.equal(stream.received.length, sent);
      assert.equal(stream.closed(), true);
      assert.equal(simulation.engine.streams.size, 0);
    },
  ));
});

Deno.test("drain: streams end in time and within the memory limit, whatever clients do", () => {
  const step = fc.record({
    of: fc.nat({ max: 7 }),
    what: fc.constantFrom("ask", "take", "part", "end", "reset"),
    count: fc.integer({ min: 1, max: 40 }),
    pauseMs: fc.nat({ max: 200 }),
  });
  const bytes = 64 * 1024;
  fc.assert(fc.property(
    fc.array(step, { maxLength: 60 }),
    fc.array(fc.constantFrom(0, 4000, Infinity), { minLength: 8, maxLength: 8 }),
    fc.nat({ max: 59 }),
    (steps, takes, stopAt) => {
      const simulation = new Simulation(BIG, { limits: { bytes } });
      const { streams } = simulation.engine;
      const clients = takes.map((some) => simulation.openStream(0, { takes: some }));
      const act = ({ of, what, count }: typeof steps[number]) => {
        const client = clients[of]!;
        if (what === "ask") { for (let id = 0; id < count; id++) client.send(big(id)); }
        if (what === "part") client.send(big(0).slice(0, count));
        if (what === "take") client.take(count * 100);
        if (what === "end") client.end();
        if (what === "reset") client.reset();
      };
      steps.forEach((one, i) => {
        if (i === stopAt) simulation.engine.streams.drain();
        act(one);
        assert.ok(streams.bytes <= bytes, `${streams.bytes} bytes`);
        simulation.run(one.pauseMs);
        assert.ok(streams.bytes <= bytes, `${streams.bytes} bytes`);
      });
      simulation.engine.streams.drain();
      simulation.run(5000);
      assert.equal(streams.size, 0);
      assert.equal(streams.bytes, 0);
    },
  ));
});
