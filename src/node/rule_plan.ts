import type { ListEntry } from "../control/plane/self_checks.ts";
import {
  REDIRECT_COMMENT,
  REDIRECT_ENTRY,
  REDIRECT_LIST,
  redirectFamilies,
  type RedirectOptions,
  redirectSet,
} from "./rules/redirect.ts";
import { commentOf, type Family, type Rule } from "./rules/rule_text.ts";
import { type FailOpenLevel, familyOf, OWN_MARK } from "./rules/facts.ts";
import {
  failOpenAddresses,
  HEARTBEAT_LIST,
  leftOverRules,
  nodeRules,
  type RuleOptions,
} from "./rules/rules.ts";
import type { RuleSet } from "./rules/transaction.ts";

/** Rule options. */
export interface RuleRequest {
  readonly rules: RuleOptions;
  /** Requires a heartbeat if supported (`-failopen`). */
  readonly failOpen: boolean;
  readonly redirect: RedirectOptions | null;
}

/** Families with rules. */
export function ruleFamilies({ rules, redirect }: RuleRequest): Family[] {
  const redirected = redirect === null ? [] : redirectFamilies(redirect);
  return ([4, 6] as const).filter((family) =>
    redirected.includes(family) || rules.addresses.some((one) => familyOf(one) === family)
  );
}

/** Rules of one family at a level. */
export function ruleSet(family: Family, level: FailOpenLevel, request: RuleRequest): RuleSet {
  const { rules, redirect } = request;
  const wanted = nodeRules(family, level, rules);
  const owned = leftOverRules(family, rules);
  if (redirect === null) return { wanted, owned, comments: [] };
  const failOpen = redirect.failOpen && level !== "none";
  const more = redirectSet(family, { ...redirect, failOpen });
  return {
    wanted: [...wanted, ...more.wanted],
    owned: [...owned, ...more.owned],
    comments: more.comments,
  };
}

/** Entries that one family's best rules require. */
export function ruleEntries(
  family: Family,
  { rules, failOpen, redirect }: RuleRequest,
): ListEntry[] {
  if (!failOpen) return [];
  const entries = failOpenAddresses(family, rules).map((address): ListEntry => ({
    list: HEARTBEAT_LIST[family],
    entry: address,
    target: { address, port: rules.port, mark: OWN_MARK },
  }));
  if (!redirect?.failOpen || redirect.to[family] === undefined) return entries;
  const address = redirect.to[family] ?? (family === 4 ? "127.0.0.1" : "::1");
  const target = { address, port: redirect.port, mark: OWN_MARK };
  return [...entries, { list: REDIRECT_LIST[family], entry: REDIRECT_ENTRY[family], target }];
}

/** Whether a rule leads queries to nodens. */
export function isSteering({ table, args }: Rule, { rules: { port } }: RuleRequest): boolean {
  if (commentOf(args) === REDIRECT_COMMENT) return true;
  return table === "raw" && args.includes("-d") &&
    args[args.indexOf("--dport") + 1] === String(port);
}
