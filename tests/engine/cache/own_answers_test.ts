import assert from "node:assert/strict";
import { ANSWERED, type CreateHandler } from "../../../src/engine/handler.ts";
import { HANDLERS } from "../../support/engine/all_plugins.ts";
import { queryBytes } from "../../support/messages/messages.ts";
import { onlyAnswer, Simulation } from "../../support/simulation/simulation.ts";

let asked = 0;
/** Offset of the octet that the handler changes in its response, or -1. */
let spoiltAt = -1;

/** Replaces `forward`: answers at once with its own message. */
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
    { title: "the answer of another handler is stored", spoilt: -1, queries: 1, drops: 0 },
    { title: "its answer for another name is not stored", spoilt: 13, queries: 2, drops: 2 },
    {
      title: "its answer for another type is not stored",
      spoilt: 12 + 17 + 1,
      queries: 2,
      drops: 2,
    },
    {
      title: "its answer for another class is not stored",
      spoilt: 12 + 17 + 3,
      queries: 2,
      drops: 2,
    },
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
