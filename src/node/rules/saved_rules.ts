import { splitWords } from "./rule_text.ts";

/** One rule as iptables-save printed it. */
export class SavedRule {
  readonly table: string;
  readonly chain: string;
  /** What follows `-A CHAIN`, as it was printed: the words that delete it. */
  readonly text: string;
  #args: readonly string[] | null = null;

  constructor(table: string, chain: string, text: string) {
    this.table = table;
    this.chain = chain;
    this.text = text;
  }

  /** The same in words; cut when asked for, since a node has tens of thousands of rules. */
  get args(): readonly string[] {
    return this.#args ??= splitWords(this.text);
  }
}

/** Rules and chains of one family in one backend. */
export interface SavedRules {
  readonly rules: readonly SavedRule[];
  /** Chains as `table chain`, those without rules too. */
  readonly chains: ReadonlySet<string>;
}

/**
 * Reads the output of iptables-save. What is neither a rule nor a chain is passed over. Returns null
 * if the output ends within a table.
 */
export function parseSaved(text: string): SavedRules | null {
  const rules: SavedRule[] = [];
  const chains = new Set<string>();
  let table = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("-A ")) {
      const end = line.indexOf(" ", 3);
      rules.push(
        end < 0
          ? new SavedRule(table, line.slice(3), "")
          : new SavedRule(table, line.slice(3, end), line.slice(end + 1)),
      );
    } else if (line.startsWith(":")) {
      chains.add(`${table} ${line.slice(1).split(" ", 1)[0]}`);
    } else if (line.startsWith("*")) {
      if (table !== "") return null;
      table = line.slice(1).trim();
    } else if (line.startsWith("COMMIT")) {
      table = "";
    }
  }
  if (table !== "") return null;
  return { rules, chains };
}
