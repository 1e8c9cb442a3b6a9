import type { LogLevel } from "../engine/handler.ts";
import type { RunCommand } from "./command.ts";
import type { Beat, Heartbeat } from "./heartbeat.ts";
import { IptablesError } from "./iptables.ts";
import {
  containersLeftOut,
  REDIRECT_COMMENT,
  REDIRECT_ENTRY,
  REDIRECT_LIST,
  redirectChains,
  redirectFamilies,
  type RedirectOptions,
  redirectRules,
} from "./redirect.ts";
import { keepRules, nothingOf } from "./rule_keeper.ts";
import type { Family } from "./rule_text.ts";
import {
  failOpenAddresses,
  type FailOpenLevel,
  familyOf,
  HEARTBEAT_LIST,
  leadsHere,
  leftOverRules,
  nodeRules,
  type RuleOptions,
} from "./rules.ts";
import type { RuleSet } from "./transaction.ts";

/** Labels that node-cache counts such errors under. */
export type RuleErrorType = "iptables" | "iptables_lock";

/** What keeps a node's rules needs. */
export interface NodeRulesOptions {
  rules: RuleOptions;
  /** Rules ask for a heartbeat, where the kernel has what that takes (`-failopen`). */
  failOpen: boolean;
  /** Queries to other servers come here too (`-redirect`); null for none. */
  redirect: RedirectOptions | null;
  run: RunCommand;
  heartbeat: Heartbeat;
  log: (level: LogLevel, line: string) => void;
  /** Counts an error by its label. */
  count: (type: RuleErrorType) => void;
  /** Pause before another look that is not due yet. Default: 5 seconds. */
  retryMs?: number;
}

/** How the rules of one family are. */
export interface FamilyState {
  readonly family: Family;
  readonly level: FailOpenLevel;
  /** Commands that were run just now. */
  readonly changes: number;
  /** Why the rules are not as they should be, or null. */
  readonly problem: string | null;
}

/** What is remembered of a family between two looks at it. */
interface Memory {
  level: FailOpenLevel;
  problem: string | null;
  warnings: Set<string>;
}

const RETRY_MS = 5000;

/**
 * Keeps the iptables rules of a node as they should be: puts in what is missing, takes out what is
 * doubled or left over, and says what stands in the way. Nothing here ends the process: an error is
 * logged when it is new, counted each time, and tried again.
 *
 * Call `ensure` once nodens answers queries, and then every sync interval.
 */
export class NodeRules {
  readonly #options: NodeRulesOptions;
  readonly #memory = new Map<Family, Memory>();
  #running: Promise<FamilyState[]> | null = null;
  #retry: ReturnType<typeof setTimeout> | null = null;
  #stopped = false;

  constructor(options: NodeRulesOptions) {
    this.#options = options;
    const { log, redirect } = options;
    const leftOut = redirect === null ? null : containersLeftOut(redirect);
    if (leftOut !== null) log("warning", `iptables: ${leftOut}`);
  }

  /** Makes the rules what they should be. Never rejects; a call during another one joins it. */
  ensure(): Promise<FamilyState[]> {
    if (this.#stopped) return Promise.resolve([]);
    return this.#running ??= this.#ensureAll().finally(() => this.#running = null);
  }

  /** Calls `ensure` in a few seconds, once: something has been found wrong, or could not be done. */
  ensureSoon(): void {
    if (this.#stopped || this.#retry !== null) return;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      void this.ensure();
    }, this.#options.retryMs ?? RETRY_MS);
  }

  /**
   * Lets the heartbeat go and leaves the rules where they are (`-skipteardown`).
   *
   * @param options - `handedOver`: another nodens has the same rules and its own heartbeat, so that
   * nothing must change at all
   */
  async stop(options: { handedOver?: boolean } = {}): Promise<void> {
    this.#stopped = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
    this.#options.heartbeat.stop(options);
    await this.#running;
    // A look that was under way may have set it going again.
    this.#options.heartbeat.stop(options);
  }

  /**
   * Has queries go elsewhere from now on, while what has come is answered; `remove` comes after that.
   *
   * Without a heartbeat to let go of, the rules that lead here are taken out. Those about answers
   * must stay: an answer that is tracked makes a connection of its own, and whatever its client asks
   * from the same port later would be taken for a part of it, and not be translated. Never rejects.
   */
  async turnAway(): Promise<void> {
    await this.stop();
    const { rules, redirect, run } = this.#options;
    const leads = (family: Family) => {
      const { level, problem } = this.#recall(family);
      const plain = redirect !== null && !redirect.failOpen;
      return problem === null &&
        (level === "none" || (plain && redirectFamilies(redirect).includes(family)));
    };
    await Promise.all(
      this.#families().filter(leads).map(async (family) => {
        const all = nothingOf(this.#set(family, "none"));
        const wanted = nodeRules(family, this.#recall(family).level, rules)
          .filter((rule) => !leadsHere(rule, rules));
        try {
          await keepRules(family, { ...all, wanted }, run);
        } catch (error) {
          // What stands in the way is told by `remove`, which tries again.
          asIptablesError(error);
        }
      }),
    );
  }

  /** Lets the heartbeat go and takes all rules out. Never rejects; whether none is left. */
  async remove(): Promise<boolean> {
    await this.stop();
    const { run, log, count } = this.#options;
    const results = await Promise.all(
      this.#families().map(async (family) => {
        try {
          const { changes } = await keepRules(family, nothingOf(this.#set(family, "none")), run);
          if (changes > 0) log("info", `iptables: ${changes} rules for IPv${family} removed`);
          return true;
        } catch (error) {
          if (!(error instanceof IptablesError)) throw error;
          count(error.fault === "lock" ? "iptables_lock" : "iptables");
          log("error", `iptables: Cannot remove the rules for IPv${family}: ${error.message}`);
          return false;
        }
      }),
    );
    return results.every((gone) => gone);
  }

  async #ensureAll(): Promise<FamilyState[]> {
    const states: FamilyState[] = [];
    for (const family of this.#families()) states.push(await this.#ensure(family));
    if (this.#stopped) return states;
    const { heartbeat } = this.#options;
    heartbeat.set(this.#beats());
    await heartbeat.beat();
    // Rules that wait for a heartbeat that cannot be given would keep nodens out for good.
    for (const [i, { family }] of states.entries()) {
      const memory = this.#recall(family);
      if (memory.level === "none" || memory.problem !== null) continue;
      if (this.#heartbeatFault(family) === null) continue;
      // Unless somebody has just taken the rules out, and the list with them.
      states[i] = await this.#ensure(family);
      await heartbeat.beat();
      const fault = this.#heartbeatFault(family);
      if (fault === null || this.#stopped) continue;
      memory.level = "none";
      this.#warnPlain(family, fault);
      states[i] = await this.#ensure(family);
      heartbeat.set(this.#beats());
    }
    return states;
  }

  async #ensure(family: Family): Promise<FamilyState> {
    const { log, count } = this.#options;
    const memory = this.#recall(family);
    const before = memory.problem;
    let changes = 0;
    try {
      const kept = await this.#keep(family, memory);
      changes = kept.changes;
      for (const warning of kept.warnings) {
        if (!memory.warnings.has(warning)) log("warning", `iptables: ${warning}`);
      }
      memory.warnings = new Set(kept.warnings);
      memory.problem = null;
      if (changes > 0) {
        log("info", `iptables: rules for IPv${family} put in order (${changes} changes)`);
      } else if (before !== null) {
        log("info", `iptables: the rules for IPv${family} are in order again`);
      }
    } catch (error) {
      const { fault, message } = asIptablesError(error);
      memory.problem = message;
      count(fault === "lock" ? "iptables_lock" : "iptables");
      if (message !== before) {
        const line = `iptables: Cannot put the rules for IPv${family} in order: ${message}`;
        log(fault === "lock" ? "warning" : "error", line);
      }
      if (fault === "lock") this.ensureSoon();
    }
    return { family, level: memory.level, changes, problem: memory.problem };
  }

  /** Keeps the rules of the best level that the kernel takes. Throws where it takes none. */
  async #keep(family: Family, memory: Memory): ReturnType<typeof keepRules> {
    let first: IptablesError | null = null;
    for (let level = memory.level;;) {
      try {
        const kept = await keepRules(family, this.#set(family, level), this.#options.run);
        if (first !== null) {
          memory.level = level;
          if (level === "none") this.#warnPlain(family, first.message);
          else this.#warnSocket(family, first.message);
        }
        return kept;
      } catch (error) {
        first ??= asIptablesError(error);
        const lower = LOWER[level];
        if (asIptablesError(error).fault !== "other" || lower === null) throw first;
        level = lower;
      }
    }
  }

  #set(family: Family, level: FailOpenLevel): RuleSet {
    const { rules, redirect } = this.#options;
    const wanted = nodeRules(family, level, rules);
    const owned = leftOverRules(family, rules);
    if (redirect === null) return { wanted, owned, comments: [] };
    const failOpen = redirect.failOpen && level !== "none";
    return {
      wanted: [...wanted, ...redirectRules(family, { ...redirect, failOpen })],
      owned: [...owned, ...redirectChains()],
      comments: [REDIRECT_COMMENT],
    };
  }

  /** The lists that the rules of a family ask at best. */
  #lists(family: Family): string[] {
    const { failOpen, rules, redirect } = this.#options;
    if (!failOpen) return [];
    const lists: string[] = [];
    if (failOpenAddresses(family, rules).length > 0) lists.push(HEARTBEAT_LIST[family]);
    if (redirect?.failOpen && redirectFamilies(redirect).includes(family)) {
      lists.push(REDIRECT_LIST[family]);
    }
    return lists;
  }

  #heartbeatFault(family: Family): string | null {
    const { heartbeat } = this.#options;
    const faults = this.#lists(family).map((list) => heartbeat.faultOf(list));
    return faults.find((fault) => fault !== null) ?? null;
  }

  #beats(): Beat[] {
    const { rules, redirect } = this.#options;
    return this.#families().flatMap((family) => {
      if (this.#recall(family).level === "none") return [];
      const beats = failOpenAddresses(family, rules).map((address) => ({
        list: HEARTBEAT_LIST[family],
        entry: address,
        target: { address, port: rules.port },
      }));
      if (!redirect?.failOpen) return beats;
      return [...beats, ...redirectBeats(family, redirect)];
    });
  }

  #families(): Family[] {
    const { rules, redirect } = this.#options;
    const redirected = redirect === null ? [] : redirectFamilies(redirect);
    return ([4, 6] as const).filter((family) =>
      redirected.includes(family) || rules.addresses.some((one) => familyOf(one) === family)
    );
  }

  #recall(family: Family): Memory {
    let memory = this.#memory.get(family);
    if (memory === undefined) {
      const level = this.#lists(family).length > 0 ? "socket" : "none";
      memory = { level, problem: null, warnings: new Set() };
      this.#memory.set(family, memory);
    }
    return memory;
  }

  #warnSocket(family: Family, why: string): void {
    this.#options.log(
      "warning",
      `iptables: IPv${family} without "-m socket": ${why}; a crash is noticed within two seconds` +
        " and not at once",
    );
  }

  #warnPlain(family: Family, why: string): void {
    this.#options.log(
      "warning",
      `iptables: IPv${family} without fail-open: ${why}; the rules are as node-cache's, so while` +
        " nodens does not answer, nobody does",
    );
  }
}

/** What keeps a redirect of one family going. */
export function redirectBeats(family: Family, { to, port }: RedirectOptions): Beat[] {
  if (to[family] === undefined) return [];
  const address = to[family] ?? (family === 4 ? "127.0.0.1" : "::1");
  const target = { address, port };
  return [{ list: REDIRECT_LIST[family], entry: REDIRECT_ENTRY[family], target }];
}

const LOWER: Record<FailOpenLevel, FailOpenLevel | null> = {
  socket: "heartbeat",
  heartbeat: "none",
  none: null,
};

function asIptablesError(error: unknown): IptablesError {
  if (error instanceof IptablesError) return error;
  throw error;
}
