import { quote } from "../../corefile/quote.ts";
import { classText, typeText } from "../../dns/mnemonics.ts";
import type { Explanation } from "../../engine/explanation.ts";
import type { NameMatch, RewriteRule } from "./options.ts";

/** As rules see it. */
interface Question {
  readonly name: string;
  readonly qtype: number;
  readonly qclass: number;
}

/** Explains `rewrite`. */
export function explainRewrite(
  before: Question,
  after: Question,
  { matched, error }: { matched: readonly RewriteRule[]; error: string },
): Explanation {
  if (error !== "") return { verdict: "refuses", reason: error };
  if (matched.length === 0) return { verdict: "passes", reason: "no rule matches" };
  const notes = matched.map(ruleText);
  const changes = [
    ...before.name === after.name ? [] : [`the name becomes ${after.name}`],
    ...before.qtype === after.qtype ? [] : [`the type becomes ${typeText(after.qtype)}`],
    ...before.qclass === after.qclass ? [] : [`the class becomes ${classText(after.qclass)}`],
  ];
  const details = { name: after.name, type: typeText(after.qtype) };
  return changes.length > 0
    ? { verdict: "changes", reason: changes.join(", "), notes, details }
    : { verdict: "acts", reason: "changes the answer, or the EDNS options, by these rules", notes };
}

function ruleText(rule: RewriteRule): string {
  switch (rule.field) {
    case "name":
      return `rewrite name ${matchText(rule.match)} ${quote(rule.to)}`;
    case "type":
      return `rewrite type ${typeText(rule.from)} ${typeText(rule.to)}`;
    case "class":
      return `rewrite class ${classText(rule.from)} ${classText(rule.to)}`;
    case "edns0":
      return `rewrite edns0 ${rule.kind} ${rule.action}`;
    default:
      return `rewrite ${rule.field} ${matchText(rule.match)}`;
  }
}

function matchText({ how, text }: NameMatch): string {
  return `${how} ${quote(text)}`;
}
