/** A few seeds of each randomized run; `tests/long` has many, `deno task chaos` random ones. */
import { runChaos } from "../support/simulation/chaos.ts";
import { runDay } from "../support/simulation/chaos_day.ts";
import { runKinds } from "../support/simulation/chaos_kinds.ts";

Deno.test("ten seeded runs of unreliable upstreams and networks keep the invariants", () => {
  for (let seed = 1; seed <= 10; seed++) runChaos(seed);
});

Deno.test("ten seeded runs with slow names and broken servers answer every name that can be answered", () => {
  for (let seed = 1; seed <= 10; seed++) runKinds(seed);
});

Deno.test("a day of virtual time: resources are released when idle, and tables do not grow", () => {
  runDay(1);
});

Deno.test("trials of query forms do not overlap and lose no socket", () => {
  // With this seed, a second trial once started during the first.
  runChaos(742936283);
});
