import assert from "node:assert/strict";
import { responseBytes } from "../../support/messages/messages.ts";
import { ask, askMany, forwarding } from "../../support/simulation/forwarding.ts";
import type { Behaviour } from "../../support/simulation/simulation.ts";
import { answering, silent } from "../../support/simulation/upstream_kinds.ts";

const outages = (logs: readonly string[]) => logs.filter((line) => line.includes("(of .)"));

Deno.test("an upstream that goes down and comes back costs as many queries as it lost", () => {
  let works = false;
  const broken: Behaviour = (...query) => works ? answering(5)(...query) : silent(...query);
  const simulation = forwarding({ "10.0.0.1": broken, "10.0.0.2": answering(5) });
  askMany(simulation, 4);
  simulation.run(10_000);
  works = true;
  simulation.run(10_000);
  const [down, up, ...more] = outages(simulation.logs);
  assert.match(
    down!,
    /^error: .*10\.0\.0\.1:53 .* is down \(i\/o timeout\): 4 queries failed over, 0 failed, in /,
  );
  assert.match(up!, /^info: .*10\.0\.0\.1:53 .* is up again after .* s: 4 queries failed over, 0 /);
  assert.deepEqual(more, []);
});

Deno.test("queries that no upstream answers count as failed, and errors has one line for each", () => {
  const simulation = forwarding({ "10.0.0.1": silent, "10.0.0.2": silent });
  for (let i = 0; i < 3; i++) ask(simulation);
  ask(simulation, { name: "other.example.org" });
  simulation.run(10_000);
  const lines = outages(simulation.logs);
  assert.equal(lines.length, 2);
  const errors = simulation.logs.filter((line) => line.includes("plugin/errors")).sort();
  assert.equal(errors.length, 2);
  assert.match(errors[0]!, /2 other\.example\.org\. A: 10\.0\.0\..*timeout$/);
  assert.match(errors[1]!, /2 www\.example\.org\. A: 10\.0\.0\..*timeout \(3 queries\)$/);
  ask(simulation, { name: "third.example.org", forMs: 1000 });
  assert.equal(outages(simulation.logs).length, 2, "not again while they are down");
});

Deno.test("an upstream that answers REFUSED has no outage", () => {
  const refused: Behaviour = (query) => [{ bytes: responseBytes(query, { rcode: 5 }) }];
  const simulation = forwarding({ "10.0.0.1": refused, "10.0.0.2": answering(5) });
  askMany(simulation, 4, { forMs: 100 });
  simulation.run(10_000);
  assert.deepEqual(outages(simulation.logs), []);
});
