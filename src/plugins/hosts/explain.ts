import { RCODE, TYPE } from "../../dns/constants.ts";
import { typeText } from "../../dns/mnemonics.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import type { Explanation } from "../../engine/explanation.ts";
import { NEXT, type Verdict } from "../../engine/handler.ts";
import { quote } from "../../corefile/quote.ts";
import type { HostsOptions } from "./options.ts";

/** Explains `hosts`. */
export function explainHosts(
  { qtype, response }: Exchange,
  verdict: Verdict,
  { options, inZones, listed }: {
    options: HostsOptions;
    /** Reverse names are in every zone. */
    inZones: boolean;
    /** Perhaps of another type. */
    listed: boolean;
  },
): Explanation {
  const where = `${quote(options.path)}${options.inline.length === 0 ? "" : " or the Corefile"}`;
  const type = typeText(qtype);
  if (verdict === NEXT) {
    const isAddress = qtype === TYPE.A || qtype === TYPE.AAAA || qtype === TYPE.PTR;
    const reason = !inZones
      ? "the name is in none of its zones, or the class is not IN"
      : isAddress
      ? `no such name in ${where}`
      : `it has no ${type} records (fallthrough_unsupported)`;
    return { verdict: "passes", reason };
  }
  const { rcode, answerCount } = response!;
  if (answerCount > 0) return { verdict: "answers", reason: `the name is in ${where}` };
  if (rcode === RCODE.SERVFAIL) {
    const reason = `no such name in ${where}, and fallthrough is not set`;
    return { verdict: "refuses", reason };
  }
  return {
    verdict: "answers",
    reason: listed || rcode === RCODE.NOERROR
      ? `the name is in ${where}, but not with type ${type}`
      : `no such name in ${where}, which has the whole zone (authoritative)`,
  };
}
