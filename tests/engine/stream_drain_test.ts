/** TCP streams of a process that stops: what was read is answered, then they are closed with FIN. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { a, queryBytes, responseBytes } from "../support/messages.ts";
import { frame, Simulation } from "../support/simulation.ts";

/** `delayMs`: how long the upstream takes. */
function start(delayMs = 1): Simulation {
  const simulation = new Simulation(". {\n forward . 10.0.0.1\n}\n");
  simulation.upstream("10.0.0.1:53", (query) => [{
    bytes: responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.1")] }),
    delayMs,
  }]);
  return simulation;
}

const query = (id = 1) => frame(queryBytes({ name: `n${id}.example.org`, id }));

Deno.test("a silent stream is finished soon, and closed when the client closes its side", () => {
  const simulation = start();
  const stream = simulation.openStream();
  stream.send(query());
  simulation.run(50);
  simulation.engine.drainStreams();
  simulation.run(90);
  assert.equal(stream.finished(), false);
  simulation.run(20);
  assert.equal(stream.finished(), true);
  assert.equal(simulation.engine.streams.size, 1);
  stream.end();
  assert.equal(simulation.engine.streams.size, 0);
  assert.equal(stream.closed(), true);
});

Deno.test("a client that never closes its side is not waited for", () => {
  const simulation = start();
  const stream = simulation.openStream();
  simulation.engine.drainStreams();
  // It has asked nothing yet.
  simulation.run(900);
  assert.equal(stream.finished(), false);
  simulation.run(200);
  assert.equal(stream.finished(), true);
  // What comes behind the FIN is read, so that nothing is reset, and not answered.
  stream.send(query());
  simulation.run(1500);
  assert.equal(stream.closed(), false);
  simulation.run(500);
  assert.equal(stream.closed(), true);
  assert.equal(stream.received.length, 0);
});

Deno.test("queries that wait for an upstream are answered before", () => {
  const simulation = start(700);
  const stream = simulation.openStream();
  stream.send(query(1));
  stream.send(query(2));
  simulation.engine.drainStreams();
  simulation.run(600);
  assert.equal(stream.finished(), false);
  simulation.run(300);
  assert.equal(stream.received.length, 2);
  assert.equal(stream.finished(), true);
});

Deno.test("a client that asks all the time is finished behind an answer", () => {
  const simulation = start();
  const stream = simulation.openStream();
  simulation.engine.drainStreams();
  let sent = 0;
  while (!stream.finished() && sent < 1000) {
    stream.send(query(++sent));
    simulation.run(10);
  }
  assert.ok(sent >= 100 && sent < 110, `${sent} queries`);
  assert.equal(stream.received.length, sent);
});

Deno.test("the rest of a query is waited for, but not for ever", () => {
  for (const comes of [true, false]) {
    const simulation = start();
    const stream = simulation.openStream();
    const bytes = query();
    stream.send(bytes.slice(0, 7));
    simulation.engine.drainStreams();
    simulation.run(2000);
    assert.equal(stream.finished(), false);
    if (comes) stream.send(bytes.slice(7));
    simulation.run(1100);
    assert.equal(stream.finished(), true);
    assert.equal(stream.received.length, comes ? 1 : 0);
  }
});

Deno.test("whatever a client does, all that is read before the FIN is answered", () => {
  const step = fc.record({ count: fc.nat({ max: 3 }), pauseMs: fc.nat({ max: 150 }) });
  fc.assert(fc.property(
    fc.array(step, { maxLength: 40 }),
    fc.integer({ min: 1, max: 400 }),
    (steps, delayMs) => {
      const simulation = start(delayMs);
      const stream = simulation.openStream();
      let sent = 0;
      steps.forEach(({ count, pauseMs }, i) => {
        if (i === 3) simulation.engine.drainStreams();
        for (let n = 0; n < count && !stream.finished() && !stream.closed(); n++) {
          stream.send(query(++sent));
        }
        simulation.run(pauseMs);
      });
      simulation.engine.drainStreams();
      simulation.run(5000);
      assert.equal(stream.received.length, sent);
      assert.equal(stream.closed(), true);
      assert.equal(simulation.engine.streams.size, 0);
    },
  ));
});
