import { skipUnless } from "../support/run/require.ts";
import { compareAnswers } from "./compare.ts";

Deno.test({
  name: "kdig gets the answers of named from nodens",
  ...skipUnless("named", "kdig"),
  fn: (t) => compareAnswers(t, "kdig"),
});
