import { canonicalAddress } from "../../dns/address.ts";

/** IP version, of iptables or ip6tables. */
export type Family = 4 | 6;

/** A table of iptables. */
export type Table = "raw" | "filter" | "nat";

/** A wanted rule. */
export interface Rule {
  readonly table: Table;
  readonly chain: string;
  readonly args: readonly string[];
  readonly place?: "first" | "last";
}

/** An option of a rule, such as `! -s 10.0.0.0/8`. */
export interface RuleOption {
  readonly name: string;
  readonly negated: boolean;
  readonly values: readonly string[];
}

/** Splits a line of iptables-save; words may be quoted. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  for (const [, quoted, bare] of line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)) {
    words.push(quoted === undefined ? bare! : quoted.replaceAll(/\\(.)/g, "$1"));
  }
  return words;
}

/** Joins words for iptables-restore or a shell. */
export function joinWords(words: readonly string[]): string {
  return words.map((word) =>
    /^[\w.:,/+@%=!\[\]-]+$/.test(word) ? word : `"${word.replaceAll(/["\\]/g, "\\$&")}"`
  ).join(" ");
}

/** Parses a rule's options in order. */
export function readOptions(args: readonly string[]): RuleOption[] {
  const options: (RuleOption & { values: string[] })[] = [];
  let negated = false;
  for (const word of args) {
    const last = options.at(-1);
    const isComment = last?.name === "--comment" && last.values.length === 0;
    if (word === "!") {
      negated = true;
    } else if (word.startsWith("-") && !isComment) {
      options.push({ name: word, negated, values: [] });
      negated = false;
    } else {
      last?.values.push(word);
    }
  }
  return options;
}

function isImplied({ name, values }: RuleOption): boolean {
  const value = values[0];
  if (name === "-m") return value !== "socket";
  if (name === "--mask") return value === ALL_ONES[4] || value === ALL_ONES[6];
  return name === "--notrack";
}

/** Masks that select the whole address. */
export const ALL_ONES: Record<Family, string> = {
  4: "255.255.255.255",
  6: "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
};

/** Equal for equivalent rules. */
export function ruleKey(table: string, chain: string, args: readonly string[]): string {
  return key(table, chain, readOptions(args).filter((option) => !isImplied(option)));
}

const CORE = ["-p", "-s", "-d", "--sport", "--dport", "-j", "--comment"];

/** Key of a rule's traffic and target. */
export function coreKey(table: string, chain: string, args: readonly string[]): string {
  return key(table, chain, readOptions(args).filter(({ name }) => CORE.includes(name)));
}

function key(table: string, chain: string, options: readonly RuleOption[]): string {
  const words = options.map(({ name, negated, values }) =>
    `${negated ? "! " : ""}${name} ${values.map((value) => canonicalValue(name, value)).join(" ")}`
  );
  return JSON.stringify([table, chain, ...words.sort()]);
}

function canonicalValue(name: string, value: string): string {
  if (name === "-s" || name === "-d") return canonicalAddress(value.replace(/\/(32|128)$/, ""));
  if (name === "-j") return value === "CT" ? "NOTRACK" : value;
  if (name === "--mark") return value.replace(/\/0xffffffff$/, "");
  return value;
}

/** The comment of a rule, or "". */
export function commentOf(args: readonly string[]): string {
  return readOptions(args).find(({ name }) => name === "--comment")?.values[0] ?? "";
}

/** A rule printed by iptables-save. */
export class SavedRule {
  readonly table: string;
  readonly chain: string;
  readonly text: string;
  #args: readonly string[] | null = null;

  constructor(table: string, chain: string, text: string) {
    this.table = table;
    this.chain = chain;
    this.text = text;
  }

  /** Lazy: nodes have tens of thousands. */
  get args(): readonly string[] {
    return this.#args ??= splitWords(this.text);
  }
}

/** Rules and chains in one backend. */
export interface SavedRules {
  readonly rules: readonly SavedRule[];
  readonly chains: ReadonlySet<string>;
}

/** Parses iptables-save output; null if it ends within a table. */
export function parseSaved(text: string): SavedRules | null {
  const rules: SavedRule[] = [];
  const chains = new Set<string>();
  let table = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("-A ")) {
      const [, chain = "", rest = ""] = /^(\S*) ?(.*)$/.exec(line.slice(3)) ?? [];
      rules.push(new SavedRule(table, chain, rest));
    } else if (line.startsWith(":")) {
      chains.add(`${table} ${line.slice(1).split(" ", 1)[0]}`);
    } else if (line.startsWith("*")) {
      if (table !== "") return null;
      table = line.slice(1).trim();
    } else if (line.startsWith("COMMIT")) {
      table = "";
    }
  }
  return table === "" ? { rules, chains } : null;
}
