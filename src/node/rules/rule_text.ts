import { canonicalAddress } from "../../dns/address.ts";

/** IP version. iptables and ip6tables are separate. */
export type Family = 4 | 6;

export type Table = "raw" | "filter" | "nat";

export interface Rule {
  readonly table: Table;
  readonly chain: string;
  /** Matches and target as iptables takes them, without `-A CHAIN`. */
  readonly args: readonly string[];
  /** Inserted above all others, or appended; default: above. */
  readonly place?: "first" | "last";
}

/** One option of a rule: `! -s 10.0.0.0/8` is `{ name: "-s", negated: true, … }`. */
export interface RuleOption {
  readonly name: string;
  readonly negated: boolean;
  readonly values: readonly string[];
}

/** Splits a line of iptables-save; a word in double quotes may hold `\"` and `\\`. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  for (const [, quoted, bare] of line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)) {
    words.push(quoted === undefined ? bare! : quoted.replaceAll(/\\(.)/g, "$1"));
  }
  return words;
}

/** Joins words to a line for iptables-restore, which a shell reads the same way. */
export function joinWords(words: readonly string[]): string {
  return words.map((word) =>
    /^[\w.:,/+@%=!\[\]-]+$/.test(word) ? word : `"${word.replaceAll(/["\\]/g, "\\$&")}"`
  ).join(" ");
}

/** The options among a rule's arguments, in order. */
export function readOptions(args: readonly string[]): RuleOption[] {
  const options: { name: string; negated: boolean; values: string[] }[] = [];
  let negated = false;
  for (const word of args) {
    if (word === "!") {
      negated = true;
    } else if (word.startsWith("-") && !expectsComment(options.at(-1))) {
      options.push({ name: NAMES[word] ?? word, negated, values: [] });
      negated = false;
    } else {
      options.at(-1)?.values.push(word);
    }
  }
  return options;
}

/** A comment may begin with a dash. */
function expectsComment(option: { name: string; values: string[] } | undefined): boolean {
  return option?.name === "--comment" && option.values.length === 0;
}

const NAMES: Record<string, string> = {
  "--protocol": "-p",
  "--source": "-s",
  "--destination": "-d",
  "--in-interface": "-i",
  "--out-interface": "-o",
  "--match": "-m",
  "--jump": "-j",
  "--goto": "-g",
  "--destination-port": "--dport",
  "--source-port": "--sport",
};

/** Whether an option is implied by others, or a default that iptables-save spells out. */
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

/** Equal for rules that do the same, however they were written. */
export function ruleKey(table: string, chain: string, args: readonly string[]): string {
  return key(table, chain, readOptions(args).filter((option) => !isImplied(option)));
}

/** Options that identify a rule, whatever its other conditions. */
const CORE = ["-p", "-s", "-d", "--sport", "--dport", "-j", "--comment"];

/** Equal for rules that send the same traffic to the same target under any conditions. */
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
