import assert from "node:assert/strict";
import type { CreateHandler } from "../../../src/engine/handler.ts";
import { HANDLERS } from "../../support/engine/all_plugins.ts";
import { ask, deliver } from "../../support/simulation/forwarding.ts";
import { responseBytes } from "../../support/messages/messages.ts";
import { type Behaviour, Simulation } from "../../support/simulation/simulation.ts";
import { answering, silent, truncating } from "../../support/simulation/upstream_kinds.ts";

/** Asked twice: the second time without EDNS. */
const refused: Behaviour = (query) => [{ bytes: responseBytes(query, { rcode: 5 }), delayMs: 1 }];

/** `errors` is replaced by a handler that records who answered each query. */
function world(
  upstreams: Record<string, Behaviour>,
  options: string,
  { above = "errors", further = "" } = {},
) {
  const seen: string[] = [];
  const spy: CreateHandler = () => ({
    name: "errors",
    response: ({ upstream, asks, hedged }) =>
      void seen.push(`${upstream || "nobody"}, ${asks}${hedged ? ", hedged" : ""}`),
  });
  const to = Object.keys(upstreams).join(" ");
  const simulation = new Simulation(
    `. {\n${above}\nforward . ${to} {\npolicy sequential\n${options}\n}\n${further}\n}`,
    { handlers: new Map([...HANDLERS, ["errors", spy]]) },
  );
  for (const [address, behaviour] of Object.entries(upstreams)) {
    simulation.upstream(`${address}:53`, behaviour);
  }
  return { simulation, seen };
}

const NEXT_BLOCK = "forward . 10.0.0.9";

for (
  const [what, upstreams, seen, options = ""] of [
    ["the one that answers", { "10.0.0.1": answering() }, "10.0.0.1:53, 1"],
    [
      "the next one, after a refusal",
      { "10.0.0.1": refused, "10.0.0.2": answering() },
      "10.0.0.2:53, 3",
    ],
    ["the only one, though it refuses", { "10.0.0.1": refused }, "10.0.0.1:53, 2"],
    [
      "one query over UDP and one over TCP",
      { "10.0.0.1": truncating(answering()) },
      "10.0.0.1:53, 2",
    ],
    [
      "the second of a hedge",
      { "10.0.0.1": answering(900), "10.0.0.2": answering() },
      "10.0.0.2:53, 2, hedged",
      "hedge 20ms",
    ],
    ["nobody, if all are silent", { "10.0.0.1": silent }, "nobody, 3"],
  ] as const
) {
  Deno.test(`who answered: ${what}`, () => {
    const { simulation, seen: recorded } = world(upstreams, options);
    if (options.startsWith("hedge")) {
      // Earns the budget.
      deliver(simulation, ["10.0.0.2"]);
      for (let i = 0; i < 40; i++) ask(simulation, { name: `n${i}.example.org`, forMs: 10 });
      deliver(simulation, Object.keys(upstreams));
      recorded.length = 0;
    }
    ask(simulation, { forMs: 10_000 });
    assert.deepEqual(recorded, [seen]);
  });
}

Deno.test("who answered: every query that waited for the answer is told", () => {
  const { simulation, seen } = world({ "10.0.0.1": answering(20) }, "");
  for (let i = 0; i < 3; i++) ask(simulation);
  simulation.run(100);
  assert.deepEqual(seen, Array(3).fill("10.0.0.1:53, 1"));
});

Deno.test("who answered: nothing is left of the query before", () => {
  const { simulation, seen } = world({ "10.0.0.1": answering() }, "", {
    above: "errors\ncache",
  });
  ask(simulation, { forMs: 50 });
  simulation.upstream("10.0.0.1:53", silent);
  ask(simulation, { name: "b.example.org", forMs: 10_000 });
  assert.equal(seen[0], "10.0.0.1:53, 1");
  assert.match(seen[1]!, /^nobody, /);
});

Deno.test("who answered: a second forward adds to what the first one took", () => {
  const { simulation, seen } = world({ "10.0.0.1": refused }, "next REFUSED", {
    further: NEXT_BLOCK,
  });
  simulation.upstream("10.0.0.9:53", answering());
  ask(simulation, { forMs: 50 });
  assert.deepEqual(seen, ["10.0.0.9:53, 3"]);
});
