import { CLASS, TYPE } from "../../dns/constants.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import type { Explanation } from "../../engine/explanation.ts";
import type { Dns64Options } from "./setup.ts";

/** Explains `dns64`. */
export function explainDns64(
  { qtype, qclass, dnssecOk, checkingDisabled }: Exchange,
  { translateAll }: Dns64Options,
  mayTranslate: boolean,
): Explanation {
  if (mayTranslate) {
    const when = translateAll ? "the A records" : "the A records, if there is no AAAA";
    return {
      verdict: "acts",
      reason: `asks the plugins below for ${when}, and translates them`,
    };
  }
  const reason = qtype !== TYPE.AAAA || qclass !== CLASS.IN
    ? "the query is not for AAAA"
    : dnssecOk && checkingDisabled
    ? "the client validates itself (DO and CD)"
    : "the client asks over IPv4 (allow_ipv4 translates for it too)";
  return { verdict: "passes", reason };
}
