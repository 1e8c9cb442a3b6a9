import { skipUnless } from "../support/run/require.ts";
import { compareAnswers } from "./compare.ts";

Deno.test({
  name: "kdig gets from nodens what named answers",
  ...skipUnless("named", "kdig"),
  fn: (t) => compareAnswers(t, "kdig"),
});
