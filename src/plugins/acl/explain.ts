import { type Address, formatIPv6 } from "../../dns/address.ts";
import { typeText } from "../../dns/mnemonics.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import type { ExplainedVerdict, Explanation } from "../../engine/explanation.ts";
import type { ZoneTable } from "../../engine/question/zones.ts";
import { findPolicy, type Policy } from "./policy.ts";
import type { AclAction, AclOptions } from "./setup.ts";

/** Networks and types of a policy. */
const MAX_SHOWN = 4;
const VERDICTS: Readonly<Record<AclAction, ExplainedVerdict>> = {
  allow: "passes",
  block: "refuses",
  filter: "answers",
  drop: "drops",
};

interface Rule {
  readonly zones: ZoneTable<unknown>;
  readonly policies: readonly Policy[];
}

/** Explains `acl`. */
export function explainAcl(
  exchange: Exchange,
  client: Address,
  { rules, options }: { rules: readonly Rule[]; options: AclOptions },
): { action: AclAction; explanation: Explanation } {
  for (const [i, { zones, policies }] of rules.entries()) {
    if (zones.match(exchange) === null) continue;
    const found = findPolicy(policies, exchange.qtype, client);
    if (found === null) continue;
    const policy = options.rules[i]!.policies[policies.indexOf(found)]!;
    const { action } = found;
    const text = policyText(policy);
    const reason = `${client.hostname()} matches "${text}"`;
    return { action, explanation: { verdict: VERDICTS[action], reason, details: { rule: text } } };
  }
  const reason = `no rule is for ${client.hostname()}, this zone and this type`;
  return { action: "allow", explanation: { verdict: "passes", reason } };
}

function policyText({ action, qtypes, networks }: AclOptions["rules"][number]["policies"][number]) {
  const types = qtypes === null ? "" : ` type ${someOf(qtypes.map(typeText))}`;
  const nets = networks === null ? "" : ` net ${
    someOf(
      networks.map(({ octets, prefix }) =>
        `${octets.length === 4 ? octets.join(".") : formatIPv6(Uint8Array.from(octets))}/${prefix}`
      ),
    )
  }`;
  return `${action}${types}${nets}`;
}

function someOf(texts: readonly string[]): string {
  return texts.length <= MAX_SHOWN
    ? texts.join(" ")
    : `${texts.slice(0, MAX_SHOWN).join(" ")} and ${texts.length - MAX_SHOWN} more`;
}
