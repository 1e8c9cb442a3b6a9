/** A few seeds of each randomised run; `tests/long` has many, and `deno task chaos` draws others. */
import { runChaos } from "../support/simulation/chaos.ts";
import { runDay } from "../support/simulation/chaos_day.ts";
import { runKinds } from "../support/simulation/chaos_kinds.ts";

Deno.test("ten seeded runs of unreliable upstreams and networks keep the invariants", () => {
  for (let seed = 1; seed <= 10; seed++) runChaos(seed);
});

Deno.test("ten seeded runs beside slow names and broken servers fail no name that can be answered", () => {
  for (let seed = 1; seed <= 10; seed++) runKinds(seed);
});

Deno.test("a day of virtual time: what is held goes when nobody asks, and tables stay level", () => {
  runDay(1);
});

Deno.test("a better form is due while another is being tried: one trial at a time, no socket lost", () => {
  // The draws by which a second trial began in the place of the first one.
  runChaos(742936283);
});
