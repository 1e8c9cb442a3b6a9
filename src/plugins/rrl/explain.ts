import { type Exchange, TCP } from "../../engine/exchange/exchange.ts";
import type { Explanation } from "../../engine/explanation.ts";
import type { ResponseRate } from "../../engine/response/limiter.ts";

/** Explains `rrl`. */
export function explainRrl({ transport }: Exchange, rate: ResponseRate | null): Explanation {
  if (transport === TCP) return { verdict: "passes", reason: "answers over TCP are not limited" };
  return rate === null ? { verdict: "acts", reason: "leaves large answers unlimited" } : {
    verdict: "acts",
    reason: `sends ${rate.perSecond} large answers a second to a network at most`,
  };
}
