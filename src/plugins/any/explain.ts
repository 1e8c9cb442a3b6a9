import { NEXT, type Verdict } from "../../engine/handler.ts";
import type { Explanation } from "../../engine/explanation.ts";

/** Explains `any`. */
export function explainAny(verdict: Verdict): Explanation {
  return verdict === NEXT
    ? { verdict: "passes", reason: "the type is not ANY" }
    : { verdict: "answers", reason: "type ANY gets one small record (RFC 8482)" };
}
