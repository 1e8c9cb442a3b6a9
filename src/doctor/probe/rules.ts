import { systemClock } from "../../base/clock.ts";
import { ruleEntries } from "../../node/rule_plan.ts";
import { IptablesError, readBackends, restoreCommand } from "../../node/rules/iptables.ts";
import type { Family } from "../../node/rules/rule_text.ts";
import { planChanges, restoreInput, type RuleSet } from "../../node/rules/transaction.ts";
import type { FamilyRules, MatchFacts } from "../judge/iptables.ts";
import type { BeatFacts } from "../judge/rules.ts";
import { parseEffective } from "../../sys/capabilities.ts";
import { mayAdminister } from "../judge/runtime.ts";
import { knownModules } from "./links.ts";
import type { DoctorOptions, Surroundings } from "./options.ts";

/** Above the heartbeat interval. */
const BEAT_MS = 1100;
const TRIAL_LIMIT_MS = 20_000;

/** Reads both kinds of iptables. */
export async function probeRules(
  family: Family,
  { run, tree }: Pick<Surroundings, "run" | "tree">,
): Promise<FamilyRules> {
  // Otherwise legacy iptables silently prints no rules.
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

/** Finds matches, by trial if necessary. */
export async function probeMatches(
  rules: FamilyRules,
  best: RuleSet,
  { tree, run, failOpen }: Pick<Surroundings, "tree" | "run"> & { failOpen: boolean },
): Promise<MatchFacts> {
  const prefix = rules.family === 4 ? "ip" : "ip6";
  const modules = tree === null ? null : knownModules(tree);
  const list = (what: string) =>
    tree?.read(`/proc/net/${prefix}_tables_${what}`)?.split("\n").filter((word) => word !== "") ??
      null;
  const loaded = list("matches");
  return {
    loaded,
    modules: modules === null ? null : matchesOfModules(modules),
    test: await tryRules({ rules, set: best, tables: list("names"), loaded }, run),
    failOpen,
  };
}

/** Tests rules with iptables-restore; null if that would load modules or create tables. */
export async function tryRules(
  { rules, set, tables, loaded }: {
    rules: FamilyRules;
    set: RuleSet;
    tables: readonly string[] | null;
    loaded: readonly string[] | null;
  },
  run: Surroundings["run"],
): Promise<MatchFacts["test"]> {
  if ("fault" in rules) return null;
  const { family, backends: { used } } = rules;
  const needed = set.wanted.flatMap(({ args }) => args.filter((_, i) => args[i - 1] === "-m"));
  if (!needed.every((match) => loaded?.includes(match))) return null;
  // Legacy iptables creates tables on reading.
  if (used.name !== "nft" && !set.wanted.every(({ table }) => tables?.includes(table))) return null;
  const changes = planChanges(used.saved.rules, set);
  if (changes.length === 0) return { accepted: true, said: "" };
  const [command, ...args] = restoreCommand(family, used.name);
  const input = restoreInput(changes);
  const result = await run(command, {
    args: [...args, "--test"],
    input,
    timeoutMs: TRIAL_LIMIT_MS,
  });
  if (result === null) return null;
  const said = result.stderr.split("\n").find((line) => line.trim() !== "") ?? "";
  return { accepted: result.code === 0, said: said.trim().slice(0, 300) };
}

/** Matches of kernel modules: xt_recent, ipt_ah, ip6t_rt. */
export function matchesOfModules(names: Iterable<string>): string[] {
  const found = new Set<string>();
  for (const name of names) {
    const match = /^(?:xt|ipt|ip6t)_([a-z0-9]+)$/.exec(name.replaceAll("-", "_"))?.[1];
    if (match !== undefined) found.add(match);
  }
  return [...found];
}

/** Reads heartbeats twice. */
export async function probeHeartbeat(
  families: readonly Family[],
  { rules }: DoctorOptions,
  { tree, clock = systemClock }: Pick<Surroundings, "tree" | "clock">,
): Promise<BeatFacts[]> {
  const beats = families.flatMap((family) => ruleEntries(family, rules));
  if (beats.length === 0) return [];
  const read = () => beats.map(({ list }) => tree?.read(`/proc/net/xt_recent/${list}`) ?? null);
  const before = read();
  await clock.sleep(BEAT_MS);
  const after = read();
  return beats.map(({ list, entry: address }, i) => ({
    ...{ list, address },
    texts: [before[i]!, after[i]!],
  }));
}
