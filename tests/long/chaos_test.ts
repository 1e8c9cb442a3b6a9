/** The seeds that `tests/engine/chaos_test.ts` leaves out. */
import { runChaos } from "../support/simulation/chaos.ts";
import { runDay } from "../support/simulation/chaos_day.ts";
import { runKinds } from "../support/simulation/chaos_kinds.ts";

Deno.test("ninety more seeded runs of unreliable upstreams and networks keep the invariants", () => {
  for (let seed = 11; seed <= 100; seed++) runChaos(seed);
});

Deno.test("ninety more seeded runs beside slow names and broken servers fail no name that can be answered", () => {
  for (let seed = 11; seed <= 100; seed++) runKinds(seed);
});

Deno.test("more days of virtual time: what is held goes when nobody asks, and tables stay level", () => {
  for (let seed = 2; seed <= 4; seed++) runDay(seed);
});
