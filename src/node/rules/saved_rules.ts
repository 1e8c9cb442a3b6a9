import { splitWords } from "./rule_text.ts";

export class SavedRule {
  readonly table: string;
  readonly chain: string;
  /** What follows `-A CHAIN`, as printed: the words that delete the rule. */
  readonly text: string;
  #args: readonly string[] | null = null;

  constructor(table: string, chain: string, text: string) {
    this.table = table;
    this.chain = chain;
    this.text = text;
  }

  get args(): readonly string[] {
    return this.#args ??= splitWords(this.text);
  }
}

/** Rules and chains of one family in one backend. */
export interface SavedRules {
  readonly rules: readonly SavedRule[];
  readonly chains: ReadonlySet<string>;
}

/** Parses the output of iptables-save. Returns null if it ends within a table. */
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
