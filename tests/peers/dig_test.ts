import { skipUnless } from "../support/run/require.ts";
import { compareAnswers } from "./compare.ts";

Deno.test({
  name: "dig gets the answers of named from nodens",
  ...skipUnless("named", "dig"),
  fn: (t) => compareAnswers(t, "dig"),
});
