import type { Explanation } from "../../engine/explanation.ts";

/** Tells what `minimal` does with a query. */
export function explainMinimal(): Explanation {
  return { verdict: "acts", reason: "cuts positive answers to their answer section" };
}
