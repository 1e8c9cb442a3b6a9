import { NEXT, type Verdict } from "../../engine/handler.ts";
import type { Explanation } from "../../engine/explanation.ts";

/** Explains `whoami`. */
export function explainWhoami(verdict: Verdict): Explanation {
  return verdict === NEXT
    ? { verdict: "passes", reason: "it answers class IN alone" }
    : { verdict: "answers", reason: "it answers every name with the client's address" };
}
