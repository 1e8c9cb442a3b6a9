import type { Explanation } from "../../engine/explanation.ts";

/** Explains `minimal`. */
export function explainMinimal(): Explanation {
  return { verdict: "acts", reason: "cuts positive answers to their answer section" };
}
