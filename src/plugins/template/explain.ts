import { rcodeText } from "../../dns/mnemonics.ts";
import { formatName } from "../../dns/name.ts";
import type { Explanation } from "../../engine/explanation.ts";
import { quote } from "../../corefile/quote.ts";
import type { Reply } from "./reply.ts";

/** Explains `template`; it does not answer `alias` itself. */
export function explainTemplate(
  reply: Reply | null,
  { alias, error }: { alias: Uint8Array | null; error: string },
): Explanation {
  if (reply === null) {
    return { verdict: "passes", reason: "no template is for this zone, class, type and name" };
  }
  if (error !== "") return { verdict: "refuses", reason: error };
  const by = reply.source === null
    ? "a template"
    : `the template of zone ${reply.source.zone}, match ${quote(reply.source.pattern)}`;
  if (alias !== null) {
    const reason = `${by} makes an alias, whose target ${formatName(alias)} is asked for below`;
    return { verdict: "answers", reason };
  }
  return { verdict: "answers", reason: `${by} makes the answer (${rcodeText(reply.rcode)})` };
}
