import { tryRules } from "./rule_trial.ts";
import { IptablesError, readBackends } from "../../node/rules/iptables.ts";
import { redirectBeats } from "../../node/node_rules.ts";
import {
  REDIRECT_COMMENT,
  redirectChains,
  redirectFamilies,
  redirectRules,
} from "../../node/redirect/redirect.ts";
import type { Family } from "../../node/rules/rule_text.ts";
import {
  failOpenAddresses,
  type FailOpenLevel,
  familyOf,
  HEARTBEAT_LIST,
  leftOverRules,
  nodeRules,
} from "../../node/rules/rules.ts";
import type { RuleSet } from "../../node/rules/transaction.ts";
import { mayAdminister, parseEffective } from "../judge/capabilities.ts";
import type { BeatFacts } from "../judge/heartbeat.ts";
import type { FamilyRules } from "../judge/iptables.ts";
import { knownModules } from "./links.ts";
import { matchesOfModules, type MatchFacts } from "./matches.ts";
import type { DoctorOptions } from "./options.ts";
import type { RuleFacts } from "../judge/rules.ts";
import type { Surroundings } from "./surroundings.ts";

/** More than the time from one heartbeat to the next. */
const BEAT_MS = 1100;

/** Families that nodens would make rules for. */
export function ruleFamilies({ rules: { rules, redirect } }: DoctorOptions): Family[] {
  const redirected = redirect === null ? [] : redirectFamilies(redirect);
  return ([4, 6] as const).filter((family) =>
    redirected.includes(family) || rules.addresses.some((one) => familyOf(one) === family)
  );
}

/** The rules that nodens would make at each level of fail-open, the best one first. */
export function ruleLevels(family: Family, options: DoctorOptions): RuleFacts["levels"] {
  const levels: FailOpenLevel[] = asksForHeartbeat(family, options)
    ? ["socket", "heartbeat", "none"]
    : ["none"];
  return levels.map((level) => ({ level, set: ruleSet(family, level, options) }));
}

/** Whether the rules of a family ask for a heartbeat at best. */
export function asksForHeartbeat(family: Family, { rules }: DoctorOptions): boolean {
  const { failOpen, redirect } = rules;
  return failOpen && (failOpenAddresses(family, rules.rules).length > 0 ||
    redirect !== null && redirect.failOpen && redirectFamilies(redirect).includes(family));
}

function ruleSet(family: Family, level: FailOpenLevel, { rules }: DoctorOptions): RuleSet {
  const wanted = nodeRules(family, level, rules.rules);
  const owned = leftOverRules(family, rules.rules);
  const { redirect } = rules;
  if (redirect === null) return { wanted, owned, comments: [] };
  const failOpen = redirect.failOpen && level !== "none";
  return {
    wanted: [...wanted, ...redirectRules(family, { ...redirect, failOpen })],
    owned: [...owned, ...redirectChains()],
    comments: [REDIRECT_COMMENT],
  };
}

/** The rules that there are, of both kinds of iptables. */
export async function probeRules(
  family: Family,
  { run, tree }: Pick<Surroundings, "run" | "tree">,
): Promise<FamilyRules> {
  // The legacy kind would say that there are none.
  if (mayAdminister(parseEffective(tree?.read("/proc/self/status") ?? "")) === false) {
    const message = "rules cannot be read without the capability NET_ADMIN";
    return { family, fault: "permission", message };
  }
  try {
    return { family, backends: await readBackends(family, { run }) };
  } catch (error) {
    if (!(error instanceof IptablesError)) throw error;
    return { family, fault: error.fault, message: error.message };
  }
}

/** What the kernel has for the rules; the rules are tried only where that leaves no trace. */
export async function probeMatches(
  rules: FamilyRules,
  options: DoctorOptions,
  { tree, run }: Pick<Surroundings, "tree" | "run">,
): Promise<MatchFacts> {
  const { family } = rules;
  const prefix = family === 4 ? "ip" : "ip6";
  const modules = tree === null ? null : knownModules(tree);
  const list = (what: string) =>
    tree?.read(`/proc/net/${prefix}_tables_${what}`)?.split("\n").filter((word) => word !== "") ??
      null;
  const [best] = ruleLevels(family, options);
  const test = best === undefined
    ? null
    : await tryRules({ rules, set: best.set, tables: list("names"), loaded: list("matches") }, run);
  return {
    family,
    loaded: list("matches"),
    modules: modules === null ? null : matchesOfModules(modules),
    test,
    failOpen: asksForHeartbeat(family, options),
  };
}

/** The entries that nodens renews, looked at twice with more than a heartbeat between. */
export async function probeHeartbeat(
  families: readonly Family[],
  options: DoctorOptions,
  { tree }: Pick<Surroundings, "tree">,
): Promise<BeatFacts[]> {
  const { rules, redirect } = options.rules;
  const beats = families.flatMap((family) => [
    ...failOpenAddresses(family, rules)
      .map((address) => ({ list: HEARTBEAT_LIST[family], address })),
    ...(redirect?.failOpen
      ? redirectBeats(family, redirect).map(({ list, entry }) => ({ list, address: entry }))
      : []),
  ]);
  if (beats.length === 0) return [];
  const read = () => beats.map(({ list }) => tree?.read(`/proc/net/xt_recent/${list}`) ?? null);
  const before = read();
  await new Promise((resolve) => setTimeout(resolve, BEAT_MS));
  const after = read();
  return beats.map((beat, i) => ({ ...beat, texts: [before[i]!, after[i]!] as const }));
}
