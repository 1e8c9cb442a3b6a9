import { runChaos } from "../support/chaos.ts";

Deno.test("a hundred seeded runs of unreliable upstreams and networks keep the invariants", () => {
  for (let seed = 1; seed <= 100; seed++) runChaos(seed);
});
