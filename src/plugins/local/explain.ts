import { NEXT, type Verdict } from "../../engine/handler.ts";
import type { Explanation } from "../../engine/explanation.ts";

/** Explains `local`. */
export function explainLocal(verdict: Verdict): Explanation {
  return verdict === NEXT
    ? { verdict: "passes", reason: "the name is not localhost, nor in its reverse zones" }
    : { verdict: "answers", reason: "the name belongs to this host (RFC 6761, RFC 6303)" };
}
