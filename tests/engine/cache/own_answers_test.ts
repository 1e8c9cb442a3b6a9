import assert from "node:assert/strict";
import { ANSWERED, type CreateHandler } from "../../../src/engine/handler.ts";
import { HANDLERS } from "../../../src/plugins/handlers.ts";
import { queryBytes } from "../../support/messages/messages.ts";
import { onlyAnswer, Simulation } from "../../support/simulation/simulation.ts";

let asked = 0;
/** Where in its own response the handler changes an octet, or -1. */
let spoiltAt = -1;

/** Stands for a handler of the block that answers at once, with a message of its own. */
const ownAnswer: CreateHandler = (_options, { engine }) => ({
  name: "forward",
  query(exchange) {
    asked++;
    engine.writer.begin(exchange, 0).record("answer", null, 1, 1, 300)
      .raw(Uint8Array.of(192, 0, 2, 1), 0, 4);
    exchange.response = engine.writer.end();
    const { memory } = exchange.response;
    if (spoiltAt >= 0) memory.bytes[spoiltAt]! ^= 0x02;
    return ANSWERED;
  },
});

for (
  const { title, spoilt, queries, drops } of [
    { title: "an answer of the block's own is kept", spoilt: -1, queries: 1, drops: 0 },
    { title: "one to another name is not", spoilt: 13, queries: 2, drops: 2 },
    { title: "one to another type is not", spoilt: 12 + 17 + 1, queries: 2, drops: 2 },
    { title: "one to another class is not", spoilt: 12 + 17 + 3, queries: 2, drops: 2 },
  ]
) {
  Deno.test(`cache: ${title}`, () => {
    const simulation = new Simulation(". {\n cache\n forward . 10.0.0.1\n}", {
      handlers: new Map([...HANDLERS, ["forward", ownAnswer]]),
    });
    asked = 0;
    spoiltAt = spoilt;
    for (let i = 0; i < 2; i++) {
      assert.ok(onlyAnswer(simulation.ask(queryBytes({ name: "www.example.org" }))));
    }
    assert.equal(asked, queries);
    assert.equal(simulation.count("coredns_cache_drops_total"), drops);
  });
}
