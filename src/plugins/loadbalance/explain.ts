import type { Explanation } from "../../engine/explanation.ts";
import type { LoadbalanceOptions } from "./options.ts";

/** Explains `loadbalance`. */
export function explainLoadbalance({ weighted, prefer }: LoadbalanceOptions): Explanation {
  const how = weighted === null
    ? "shuffles the addresses of the answer"
    : `orders the addresses of the answer by the weights of ${weighted.file}`;
  const first = prefer.length === 0 ? "" : "; those of prefer come first";
  return { verdict: "acts", reason: `${how}${first}` };
}
