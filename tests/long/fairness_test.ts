import assert from "node:assert/strict";
import { a, queryBytes, responseBytes } from "../support/messages/messages.ts";
import { Simulation } from "../support/simulation/simulation.ts";

const ATTACKER = "198.51.100.7";

Deno.test("cache: a client that queries 100,000 names evicts few entries of others", () => {
  const corefile = ". {\n cache {\n success 2048\n }\n forward . 10.0.0.1\n}";
  const simulation = new Simulation(corefile, { maxExchanges: 16384 });
  simulation.upstream("10.0.0.1:53", (query) => {
    const { name } = query.questions![0]!;
    return [{ bytes: responseBytes(query, { answers: [a(name, "192.0.2.7", 3600)] }) }];
  });
  const clients = Array.from({ length: 20 }, (_, i) => `192.0.2.${i + 1}`);
  let next = 0;
  /** Everybody queries their own names, the attacker new ones; returns the others' misses. */
  const round = (): number => {
    let misses = 0;
    for (const [i, client] of clients.entries()) {
      const before = simulation.seen.length;
      for (let n = 0; n < 50; n++) {
        simulation.ask(queryBytes({ name: `n${n}.c${i}.example.org` }), 0, client);
      }
      simulation.run(3);
      misses += simulation.seen.length - before;
      for (let ask = 0; ask < 5; ask++) {
        for (let n = ask; n < 500; n += ask + 1) {
          simulation.ask(queryBytes({ name: `scan${next + n}.example.net` }), 0, ATTACKER);
        }
        simulation.run(3);
      }
      next += 500;
    }
    return misses;
  };
  assert.equal(round(), 1000);
  let misses = 0;
  for (let i = 0; i < 9; i++) misses += round();
  assert.ok(misses <= 0.05 * 9000, `${misses} of 9000`);
  assert.equal(next, 100_000);
});
