import { NEXT, type Verdict } from "../../engine/handler.ts";
import type { Explanation } from "../../engine/explanation.ts";

/** Explains `chaos`. */
export function explainChaos(verdict: Verdict): Explanation {
  return verdict === NEXT
    ? { verdict: "passes", reason: "it is not a CH TXT query for a name like version.bind" }
    : { verdict: "answers", reason: "the name asks for this server's version, host or authors" };
}
