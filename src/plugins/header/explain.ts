import { flagsText } from "../../dns/mnemonics.ts";
import type { Explanation } from "../../engine/explanation.ts";
import type { HeaderOptions } from "./setup.ts";

/** Explains `header`. */
export function explainHeader({ query, response }: HeaderOptions): Explanation {
  const parts = [partText("query", query), partText("response", response)].flat();
  const changes = (query.set | query.clear) !== 0;
  return { verdict: changes ? "changes" : "acts", reason: parts.join("; ") };
}

function partText(of: string, { set, clear }: HeaderOptions["query"]): string[] {
  return [
    ...set === 0 ? [] : [`${of} set ${flagsText(set, " ")}`],
    ...clear === 0 ? [] : [`${of} clear ${flagsText(clear, " ")}`],
  ];
}
