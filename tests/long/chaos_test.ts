/** The seeds that `tests/engine/chaos_test.ts` leaves out. */
import { runChaos } from "../support/simulation/chaos.ts";
import { runDay } from "../support/simulation/chaos_day.ts";
import { runKinds } from "../support/simulation/chaos_kinds.ts";

Deno.test("chaos: ninety more runs with unreliable networks keep the invariants", () => {
  for (let seed = 11; seed <= 100; seed++) runChaos(seed);
});

Deno.test("chaos: ninety more runs with broken servers fail no answerable name", () => {
  for (let seed = 11; seed <= 100; seed++) runKinds(seed);
});

Deno.test("chaos: more days of virtual time leak nothing, and tables stop growing", () => {
  for (let seed = 2; seed <= 4; seed++) runDay(seed);
});
