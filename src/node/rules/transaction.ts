import { commentOf, coreKey, joinWords, type Rule, ruleKey } from "./rule_text.ts";
import type { SavedRule } from "./saved_rules.ts";

/** What says which rules are ours, and which of them are to be there. */
export interface RuleSet {
  /** The rules that are to be there, each once, in the order of putting them in. */
  readonly wanted: readonly Rule[];
  /** Rules of other times, modes and versions: what resembles one of these is removed. */
  readonly owned: readonly Rule[];
  /** In the chains of all these, every rule with one of these comments is ours as well. */
  readonly comments: readonly string[];
}

/** One command of a transaction. */
export interface Change {
  readonly table: string;
  /** The line of iptables-restore's input: `-I INPUT -p tcp …`. */
  readonly line: string;
}

/**
 * The commands that make the present rules the wanted ones; none if they are already. What is
 * right stays where it is, whoever put it in.
 *
 * A rule that stands there several times is taken out and put in once: the first of them would be
 * deleted, and the last might be below a stranger's. In the table nat, where the first rule that
 * matches decides, ours are put in again together when one is missing or their order is wrong.
 */
export function planChanges(present: readonly SavedRule[], set: RuleSet): Change[] {
  const isOurs = ownership(set);
  const found = present.filter(isOurs).map((rule) => ({
    rule,
    key: ruleKey(rule.table, rule.chain, rule.args),
  }));
  const counts = new Map<string, number>();
  for (const { key } of found) counts.set(key, (counts.get(key) ?? 0) + 1);
  const wanted = set.wanted.map((rule) => ({
    rule,
    key: ruleKey(rule.table, rule.chain, rule.args),
  }));
  const redone = new Set<string>();
  for (const [chain, rules] of Map.groupBy(wanted, ({ rule }) => chainOf(rule))) {
    if (!chain.startsWith("nat ")) continue;
    const there = found.filter(({ rule }) => chainOf(rule) === chain).map(({ key }) => key);
    if (there.join() !== finalOrder(rules).join()) redone.add(chain);
  }
  const keys = new Set(wanted.map(({ key }) => key));
  const isRight = (rule: SavedRule | Rule, key: string) =>
    keys.has(key) && counts.get(key) === 1 && !redone.has(chainOf(rule));
  return [
    ...found.filter(({ rule, key }) => !isRight(rule, key)).map(({ rule }) => ({
      table: rule.table,
      line: `-D ${rule.chain} ${rule.text}`.trimEnd(),
    })),
    ...wanted.filter(({ rule, key }) => !isRight(rule, key)).map(({ rule }) => ({
      table: rule.table,
      line: `${rule.place === "last" ? "-A" : "-I"} ${rule.chain} ${joinWords(rule.args)}`,
    })),
  ];
}

/** The order in which rules stand once they have been put in one after the other. */
function finalOrder(rules: readonly { rule: Rule; key: string }[]): string[] {
  const first = rules.filter(({ rule }) => rule.place !== "last").map(({ key }) => key);
  const last = rules.filter(({ rule }) => rule.place === "last").map(({ key }) => key);
  return [...first.reverse(), ...last];
}

function chainOf({ table, chain }: Rule | SavedRule): string {
  return `${table} ${chain}`;
}

/** Tells our rules from those of others. */
export function ownership(
  { wanted, owned, comments }: RuleSet,
): (rule: SavedRule) => boolean {
  const chains = new Set<string>();
  const cores = new Set<string>();
  const exact = new Set<string>();
  for (const { table, chain, args } of [...wanted, ...owned]) {
    chains.add(`${table} ${chain}`);
    // Without a comment of ours only the very rule counts: others may have similar ones.
    if (commentOf(args) === "") exact.add(ruleKey(table, chain, args));
    else cores.add(coreKey(table, chain, args));
  }
  return (rule) => {
    const { table, chain } = rule;
    if (!chains.has(`${table} ${chain}`)) return false;
    const { args } = rule;
    return cores.has(coreKey(table, chain, args)) || exact.has(ruleKey(table, chain, args)) ||
      comments.includes(commentOf(args));
  };
}

/** The commands that delete what some commands have put in. */
export function inverseOf(changes: readonly Change[]): Change[] {
  return changes.filter(({ line }) => /^-[AI] /.test(line)).map(({ table, line }) => ({
    table,
    line: line.replace(/^-[AI]/, "-D"),
  }));
}

/** The input of `iptables-restore --noflush` for these commands, a transaction for each table. */
export function restoreInput(changes: readonly Change[]): string {
  const tables = [...new Set(changes.map(({ table }) => table))];
  return tables.map((table) => {
    const lines = changes.filter((change) => change.table === table).map(({ line }) => line);
    return `*${table}\n${lines.join("\n")}\nCOMMIT\n`;
  }).join("");
}
