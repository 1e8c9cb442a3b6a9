import { skipUnless } from "../support/run/require.ts";
import { compareAnswers } from "./compare.ts";

Deno.test({
  name: "dig gets from nodens what named answers",
  ...skipUnless("named", "dig"),
  fn: (t) => compareAnswers(t, "dig"),
});
