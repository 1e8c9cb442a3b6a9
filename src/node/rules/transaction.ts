import { commentOf, coreKey, joinWords, type Rule, ruleKey, type SavedRule } from "./rule_text.ts";

/** Owned rules, and the wanted ones among them. */
export interface RuleSet {
  readonly wanted: readonly Rule[];
  /** Of other modes and versions; similar ones are removed. */
  readonly owned: readonly Rule[];
  readonly comments: readonly string[];
}

/** The set without wanted rules. */
export function nothingOf({ wanted, owned, comments }: RuleSet): RuleSet {
  return { wanted: [], owned: [...wanted, ...owned], comments };
}

/** Command for iptables-restore. */
export interface Change {
  readonly table: string;
  readonly line: string;
}

/**
 * Commands that turn present rules into wanted ones. Duplicates are all removed and inserted once:
 * `-D` deletes the first, and the last may be below a foreign rule. Misordered nat chains are
 * replaced: the first match decides.
 */
export function planChanges(present: readonly SavedRule[], set: RuleSet): Change[] {
  const keyed = <T extends Rule | SavedRule>(rules: readonly T[]) =>
    rules.map((rule) => ({ rule, key: ruleKey(rule.table, rule.chain, rule.args) }));
  const found = keyed(present.filter(ownership(set)));
  const wanted = keyed(set.wanted);
  const counts = new Map<string, number>();
  for (const { key } of found) counts.set(key, (counts.get(key) ?? 0) + 1);
  const redone = new Set<string>();
  for (const [chain, rules] of Map.groupBy(wanted, ({ rule }) => chainOf(rule))) {
    if (!chain.startsWith("nat ")) continue;
    const there = found.filter(({ rule }) => chainOf(rule) === chain).map(({ key }) => key);
    if (there.join() !== finalOrder(rules).join()) redone.add(chain);
  }
  const keys = new Set(wanted.map(({ key }) => key));
  const isWrong = ({ rule, key }: { rule: SavedRule | Rule; key: string }) =>
    !keys.has(key) || counts.get(key) !== 1 || redone.has(chainOf(rule));
  return [
    ...found.filter(isWrong).map(({ rule: { table, chain, text } }) => ({
      table,
      line: `-D ${chain} ${text}`.trimEnd(),
    })),
    ...wanted.filter(isWrong).map(({ rule: { table, chain, args, place } }) => ({
      table,
      line: `${place === "last" ? "-A" : "-I"} ${chain} ${joinWords(args)}`,
    })),
  ];
}

function finalOrder(rules: readonly { rule: Rule; key: string }[]): string[] {
  const first = rules.filter(({ rule }) => rule.place !== "last").map(({ key }) => key);
  const last = rules.filter(({ rule }) => rule.place === "last").map(({ key }) => key);
  return [...first.reverse(), ...last];
}

function chainOf({ table, chain }: Rule | SavedRule): string {
  return `${table} ${chain}`;
}

/** Creates a test for our rules. */
export function ownership({ wanted, owned, comments }: RuleSet): (rule: SavedRule) => boolean {
  const chains = new Set<string>();
  const cores = new Set<string>();
  const exact = new Set<string>();
  for (const rule of [...wanted, ...owned]) {
    const { table, chain, args } = rule;
    chains.add(chainOf(rule));
    if (commentOf(args) === "") exact.add(ruleKey(table, chain, args));
    else cores.add(coreKey(table, chain, args));
  }
  return (rule) => {
    const { table, chain, args } = rule;
    return chains.has(chainOf(rule)) &&
      (cores.has(coreKey(table, chain, args)) || exact.has(ruleKey(table, chain, args)) ||
        comments.includes(commentOf(args)));
  };
}

/** Commands that delete what others installed. */
export function inverseOf(changes: readonly Change[]): Change[] {
  return changes.filter(({ line }) => /^-[AI] /.test(line))
    .map(({ table, line }) => ({ table, line: line.replace(/^-[AI]/, "-D") }));
}

/** Input of `iptables-restore --noflush`, one transaction per table. */
export function restoreInput(changes: readonly Change[]): string {
  return [...Map.groupBy(changes, ({ table }) => table)].map(([table, some]) =>
    `*${table}\n${some.map(({ line }) => line).join("\n")}\nCOMMIT\n`
  ).join("");
}
