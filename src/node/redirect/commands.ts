import type { RunCommand } from "../rules/command.ts";
import { type Backend, readBackends, restoreCommand } from "../rules/iptables.ts";
import {
  REDIRECT_COMMENT,
  redirectChains,
  type RedirectOptions,
  redirectRules,
} from "./redirect.ts";
import { type Family, joinWords, ruleKey } from "../rules/rule_text.ts";
import {
  type Change,
  ownership,
  planChanges,
  restoreInput,
  type RuleSet,
} from "../rules/transaction.ts";

/** What is to be done, or would be, for one family. */
export interface RedirectPlan {
  readonly family: Family;
  readonly backend: Backend["name"];
  /** None if all is as wanted. */
  readonly changes: readonly Change[];
}

/** How the redirect of one family is. */
export interface RedirectState {
  readonly family: Family;
  readonly backend: Backend["name"];
  /** Rules of a redirect that are there, as iptables-save prints them. */
  readonly present: readonly string[];
  /** Rules of this redirect that are not. */
  readonly missing: readonly string[];
}

/** The rules of a redirect, and everything that an earlier one may have left. */
export function redirectSet(family: Family, options: RedirectOptions | null): RuleSet {
  return {
    wanted: options === null ? [] : redirectRules(family, options),
    owned: redirectChains(),
    comments: [REDIRECT_COMMENT],
  };
}

/**
 * What would make the redirect of one family so (`null`: takes it out), in every backend that has
 * rules. Throws `IptablesError`.
 */
export async function planRedirect(
  family: Family,
  options: RedirectOptions | null,
  run: RunCommand,
): Promise<RedirectPlan[]> {
  const { used, other } = await readBackends(family, { run });
  const plan = (backend: Backend, wanted: RedirectOptions | null): RedirectPlan => ({
    family,
    backend: backend.name,
    changes: planChanges(backend.saved.rules, redirectSet(family, wanted)),
  });
  const plans = [plan(used, options), ...(other === null ? [] : [plan(other, null)])];
  return plans.filter(({ changes }) => changes.length > 0);
}

/** A plan as a shell would run it. */
export function commandText({ family, backend, changes }: RedirectPlan): string {
  const command = restoreCommand(family, backend).join(" ");
  return `${command} <<'EOF'\n${restoreInput(changes)}EOF\n`;
}

/** How the redirect of one family is. Throws `IptablesError`. */
export async function redirectState(
  family: Family,
  options: RedirectOptions,
  run: RunCommand,
): Promise<RedirectState> {
  const { used } = await readBackends(family, { run });
  const set = redirectSet(family, options);
  const ours = used.saved.rules.filter(ownership(set));
  const keys = new Set(ours.map((rule) => ruleKey(rule.table, rule.chain, rule.args)));
  return {
    family,
    backend: used.name,
    present: ours.map(({ table, chain, text }) => `-t ${table} -A ${chain} ${text}`),
    missing: set.wanted
      .filter(({ table, chain, args }) => !keys.has(ruleKey(table, chain, args)))
      .map(({ table, chain, args }) => `-t ${table} -A ${chain} ${joinWords(args)}`),
  };
}
