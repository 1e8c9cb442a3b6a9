import type { CommandResult, RunCommand } from "../../src/host/command.ts";
import { splitWords } from "../../src/host/rule_text.ts";

/** What a fake iptables does beside keeping rules. */
export interface FakeIptablesOptions {
  /** Kinds that are there; default: nft alone. */
  backends?: readonly ("nft" | "legacy")[];
  /** Looks at the input of every restore; a result keeps it from being done. */
  refuse?: (input: string) => CommandResult | null;
  /** Called when a restore has been done. */
  afterRestore?: () => void;
}

/** An iptables in memory, which understands what nodens says to it. */
export class FakeIptables {
  /** Inputs of the restores that were done, in order. */
  readonly restored: string[] = [];
  readonly #options: FakeIptablesOptions;
  readonly #rules = new Map<string, string[]>();

  constructor(options: FakeIptablesOptions = {}) {
    this.#options = options;
  }

  readonly run: RunCommand = (binary, { args, input }) => {
    const [, family, backend, what] = /^ip(6?)tables(?:-(\w+))?-(save|restore)$/.exec(binary) ?? [];
    const { backends = ["nft"] } = this.#options;
    if (backend === undefined || !backends.includes(backend as "nft" | "legacy")) {
      return Promise.resolve(null);
    }
    const key = `${backend}${family}`;
    if (what === "save") return done(this.#save(key));
    if (args.join(" ") !== "--noflush -w 5") throw new Error(`unexpected: ${args.join(" ")}`);
    const refused = this.#options.refuse?.(input!) ?? null;
    if (refused !== null) return Promise.resolve(refused);
    this.#restore(key, input!);
    this.restored.push(input!);
    this.#options.afterRestore?.();
    return done("");
  };

  /** Rules as `table: -A CHAIN …`. */
  rules(backend: "nft" | "legacy" = "nft", family: "" | "6" = ""): string[] {
    return [...this.#rules].filter(([key]) => key.startsWith(`${backend}${family} `))
      .flatMap(([key, rules]) => rules.map((rule) => `${key.split(" ")[1]}: ${rule}`));
  }

  /** Adds a rule of somebody else's, at the end of its chain. */
  add(backend: "nft" | "legacy", table: string, rule: string): void {
    this.#table(backend, table).push(rule);
  }

  /** Takes every rule out. */
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

  #restore(key: string, input: string): void {
    let rules: string[] = [];
    for (const line of input.split("\n")) {
      if (line.startsWith("*")) rules = this.#table(key, line.slice(1));
      const rule = line.replace(/^-[AID]/, "-A");
      if (line.startsWith("-I")) rules.unshift(rule);
      if (line.startsWith("-A")) rules.push(rule);
      if (!line.startsWith("-D")) continue;
      const place = rules.findIndex((one) => splitWords(one).join() === splitWords(rule).join());
      if (place < 0) throw new Error(`no such rule: ${line}`);
      rules.splice(place, 1);
    }
  }
}

function done(stdout: string): Promise<CommandResult> {
  return Promise.resolve({ code: 0, stdout, stderr: "" });
}
