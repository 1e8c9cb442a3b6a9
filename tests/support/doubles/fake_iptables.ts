import type { CommandOptions, CommandResult, RunCommand } from "../../../src/node/rules/command.ts";
import { splitWords } from "../../../src/node/rules/rule_text.ts";

/** Options of a `FakeIptables`. */
export interface FakeIptablesOptions {
  /** Default: nft only. */
  backends?: readonly ("nft" | "legacy")[];
  /** Sees the input of each restore; a result prevents it. */
  refuse?: (input: string) => CommandResult | null;
  /** Replaces any command; null executes it. */
  instead?: (
    command: { backend: "nft" | "legacy"; what: "save" | "restore"; input: string },
    options: CommandOptions,
  ) => Promise<CommandResult> | null;
  /** Called after each restore. */
  afterRestore?: () => void;
}

/** An in-memory iptables for the commands that nodens sends. */
export class FakeIptables {
  /** Inputs of completed restores, in order. */
  readonly restored: string[] = [];
  readonly #options: FakeIptablesOptions;
  readonly #rules = new Map<string, string[]>();

  constructor(options: FakeIptablesOptions = {}) {
    this.#options = options;
  }

  readonly run: RunCommand = (binary, options) => {
    const { args, input = "" } = options;
    const [, family, backend, what] = /^ip(6?)tables(?:-(\w+))?-(save|restore)$/.exec(binary) ?? [];
    const { backends = ["nft"] } = this.#options;
    if (backend === undefined || !backends.includes(backend as "nft" | "legacy")) {
      return Promise.resolve(null);
    }
    const key = `${backend}${family}`;
    const command = {
      backend: backend as "nft" | "legacy",
      what: what as "save" | "restore",
      input,
    };
    const instead = this.#options.instead?.(command, options) ?? null;
    if (instead !== null) return instead;
    if (what === "save") return done(this.#save(key));
    if (!/^--noflush -w [15]$/.test(args.join(" "))) {
      throw new Error(`unexpected: ${args.join(" ")}`);
    }
    const refused = this.#options.refuse?.(input) ?? null;
    if (refused !== null) return Promise.resolve(refused);
    const failed = this.#restore(key, input);
    if (failed !== null) return Promise.resolve(failed);
    this.restored.push(input);
    this.#options.afterRestore?.();
    return done("");
  };

  /** Rules as `table: -A CHAIN …`. */
  rules(backend: "nft" | "legacy" = "nft", family: "" | "6" = ""): string[] {
    return [...this.#rules].filter(([key]) => key.startsWith(`${backend}${family} `))
      .flatMap(([key, rules]) => rules.map((rule) => `${key.split(" ")[1]}: ${rule}`));
  }

  /** Appends another program's rule to its chain. */
  add(backend: "nft" | "legacy", table: string, rule: string): void {
    this.#table(backend, table).push(rule);
  }

  flush(): void {
    this.#rules.clear();
  }

  #table(key: string, table: string): string[] {
    const rules = this.#rules.get(`${key} ${table}`) ?? [];
    this.#rules.set(`${key} ${table}`, rules);
    return rules;
  }

  #save(key: string): string {
    return [...this.#rules].filter(([name]) => name.startsWith(`${key} `))
      .map(([name, rules]) => `*${name.split(" ")[1]}\n${rules.join("\n")}\nCOMMIT\n`).join("");
  }

  /** Applies each table's commands atomically; null, or the failure. */
  #restore(key: string, input: string): CommandResult | null {
    for (const part of input.split("COMMIT\n").filter((text) => text !== "")) {
      const [head = "", ...lines] = part.trimEnd().split("\n");
      const rules = [...this.#table(key, head.slice(1))];
      for (const line of lines) {
        if (!change(rules, line)) return { code: 1, stdout: "", stderr: `no such rule: ${line}` };
      }
      this.#rules.set(`${key} ${head.slice(1)}`, rules);
    }
    return null;
  }
}

/** Applies one command; false if it is invalid. Chains have the form of iptables-save. */
function change(rules: string[], line: string): boolean {
  const [word = "", chain = ""] = line.split(" ");
  const rule = line.replace(/^-[AID]/, "-A");
  if (line.startsWith(":") || word === "-X") {
    const name = word === "-X" ? chain : word.slice(1);
    const others = rules.filter((one) => !new RegExp(`^(:|-A )${name} `).test(one));
    rules.splice(0, rules.length, ...(word === "-X" ? [] : [line]), ...others);
  } else if (word === "-I") {
    rules.unshift(rule);
  } else if (word === "-A") {
    rules.push(rule);
  } else {
    const place = rules.findIndex((one) => splitWords(one).join() === splitWords(rule).join());
    if (place < 0) return false;
    rules.splice(place, 1);
  }
  return true;
}

function done(stdout: string): Promise<CommandResult> {
  return Promise.resolve({ code: 0, stdout, stderr: "" });
}
