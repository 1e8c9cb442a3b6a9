import type { Explanation } from "../../engine/explanation.ts";
import type { ErrorsOptions } from "./setup.ts";

/** Explains `errors`. */
export function explainErrors({ consolidate }: ErrorsOptions): Explanation {
  const reason = "logs why an answer fails";
  return consolidate.length === 0
    ? { verdict: "acts", reason }
    : { verdict: "acts", reason: `${reason}, or counts it (${consolidate.length} consolidate)` };
}
