import { type Exchange, TCP } from "../../engine/exchange/exchange.ts";
import type { Explanation } from "../../engine/explanation.ts";

/** Explains `bufsize`. */
export function explainBufsize({ transport }: Exchange, sizeBytes: number): Explanation {
  return transport === TCP
    ? { verdict: "passes", reason: "answers over TCP have no limit" }
    : { verdict: "acts", reason: `limits the answer to ${sizeBytes} octets` };
}
