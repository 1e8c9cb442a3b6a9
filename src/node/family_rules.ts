import { pause } from "../base/clock.ts";
import type { LogLevel } from "../engine/handler.ts";
import { IptablesError } from "./rules/iptables.ts";
import { type KeptRules, RuleKeeper, type RuleKeeperOptions } from "./rules/rule_keeper.ts";
import type { Family, Rule } from "./rules/rule_text.ts";
import { type FailOpenLevel, LEVELS } from "./rules/facts.ts";
import { nothingOf, type RuleSet } from "./rules/transaction.ts";

/** node-cache's error labels. */
type RuleErrorType = "iptables" | "iptables_lock";

/** Receivers of reports. */
export interface RuleReports {
  readonly log: (level: LogLevel, line: string) => void;
  readonly count: (type: RuleErrorType) => void;
}

interface FamilyRulesOptions extends RuleKeeperOptions, RuleReports {
  readonly family: Family;
  readonly best: FailOpenLevel;
  readonly rulesAt: (level: FailOpenLevel) => RuleSet;
  readonly tryHeartbeat: () => Promise<string | null>;
}

const REMOVE_PAUSE_MS = 250;

const LEVEL_TEXT: Record<FailOpenLevel, string> = {
  socket: "has fail-open by heartbeat and socket",
  heartbeat: "has fail-open by heartbeat",
  none: "has no fail-open",
};

/**
 * Maintains one family's iptables rules. Errors are counted, and logged when new; nothing rejects.
 * Fail-open is lowered only if the kernel refuses its rules but accepts plain ones in a separate
 * chain: a passing fault must not disable it. Each check tries to raise it.
 */
export class FamilyRules {
  readonly family: Family;
  level: FailOpenLevel;
  /** Of the last check. */
  changes = 0;
  problem: string | null = null;
  mayPass = false;
  readonly #options: FamilyRulesOptions;
  readonly #keeper: RuleKeeper;
  #lacksHeartbeat = false;
  #warnings: ReadonlySet<string> = new Set();

  constructor(options: FamilyRulesOptions) {
    this.family = options.family;
    this.level = options.best;
    this.#options = options;
    this.#keeper = new RuleKeeper(options.family, options);
  }

  get hasRules(): boolean {
    return this.#keeper.hasRules;
  }

  /** Corrects the rules at the best level. */
  ensure(signal: AbortSignal): Promise<void> {
    return this.#ensure(signal, async () => {
      await this.#raise(signal);
      return await this.#keep(signal);
    });
  }

  doWithoutHeartbeat(why: string, signal: AbortSignal): Promise<void> {
    this.#lower("none", why);
    this.#lacksHeartbeat = true;
    return this.#ensure(signal, () => this.#keep(signal));
  }

  async #ensure(signal: AbortSignal, keep: () => Promise<KeptRules>): Promise<void> {
    const { log, count } = this.#options;
    const { family, problem: before } = this;
    this.changes = 0;
    this.mayPass = false;
    try {
      const { changes, warnings } = await keep();
      this.changes = changes;
      for (const warning of warnings) {
        if (!this.#warnings.has(warning)) log("warning", `iptables: ${warning}`);
      }
      this.#warnings = new Set(warnings);
      this.problem = null;
      if (changes > 0) {
        log("info", `iptables: rules for IPv${family} put in order (${changes} changes)`);
      } else if (before !== null) {
        log("info", `iptables: the rules for IPv${family} are in order again`);
      }
    } catch (error) {
      const { fault, message } = asIptablesError(error);
      if (!signal.aborted) {
        this.mayPass = !isLasting(fault);
        this.problem = message;
        count(fault === "lock" ? "iptables_lock" : "iptables");
        if (message !== before) {
          const line = `iptables: Cannot put the rules for IPv${family} in order: ${message}`;
          log(fault === "lock" ? "warning" : "error", line);
        }
      }
    }
  }

  async keepOnly(isKept: (rule: Rule) => boolean, signal: AbortSignal): Promise<void> {
    const wanted = this.#options.rulesAt(this.level).wanted.filter(isKept);
    try {
      await this.#keeper.keep({ ...this.#nothing(), wanted }, { signal, atStop: true });
    } catch (error) {
      asIptablesError(error);
    }
  }

  /** Removes all rules, retrying until `signal`; returns success. */
  async remove(signal: AbortSignal): Promise<boolean> {
    const { log, count, clock } = this.#options;
    const { family } = this;
    let first: IptablesError | null = null;
    do {
      try {
        const { changes } = await this.#keeper.keep(this.#nothing(), { signal, atStop: true });
        if (changes > 0) log("info", `iptables: ${changes} rules for IPv${family} removed`);
        return true;
      } catch (error) {
        first ??= asIptablesError(error);
        if (first.fault === "missing" && !this.hasRules) return true;
        if (isLasting(first.fault)) break;
        await pause(clock, REMOVE_PAUSE_MS, signal);
      }
    } while (!signal.aborted);
    count(first.fault === "lock" ? "iptables_lock" : "iptables");
    const effect = this.level === "none"
      ? "nobody answers queries to the addresses of -localip"
      : "without a heartbeat they match nothing";
    const left = this.hasRules
      ? `; they stay, and ${effect}: start nodens again, or remove them by hand: ` +
        this.#keeper.removalCommand
      : "";
    log("error", `iptables: Cannot remove the rules for IPv${family}: ${first.message}${left}`);
    return false;
  }

  #nothing(): RuleSet {
    return nothingOf(this.#options.rulesAt("none"));
  }

  async #keep(signal: AbortSignal): Promise<KeptRules> {
    let first: IptablesError | null = null;
    for (let level = this.level;;) {
      try {
        const kept = await this.#keeper.keep(this.#options.rulesAt(level), { signal });
        if (level !== this.level) {
          this.#lower(level, first!.message);
          this.#lacksHeartbeat = false;
        }
        return kept;
      } catch (error) {
        const { fault } = asIptablesError(error);
        first ??= asIptablesError(error);
        const lower = LEVELS[LEVELS.indexOf(level) + 1];
        if (lower === undefined || fault !== "other") throw first;
        await using trial = this.#keeper.trial(signal);
        const plain = this.#options.rulesAt("none").wanted;
        const isRefused = await trial?.isRefused(this.#more(level, lower), plain) ?? false;
        if (!isRefused || signal.aborted) throw first;
        level = lower;
      }
    }
  }

  async #raise(signal: AbortSignal): Promise<void> {
    const { best, tryHeartbeat, log } = this.#options;
    const better = LEVELS.slice(LEVELS.indexOf(best), LEVELS.indexOf(this.level));
    if (better.length === 0) return;
    await using trial = this.#keeper.trial(signal);
    if (trial === null) return;
    for (const level of better) {
      if (await trial.put(this.#more(level, this.level)) !== null) continue;
      if (this.#lacksHeartbeat && await tryHeartbeat() !== null) continue;
      this.level = level;
      this.#lacksHeartbeat = false;
      log("info", `iptables: IPv${this.family} ${LEVEL_TEXT[level]} again`);
      return;
    }
  }

  #more(level: FailOpenLevel, than: FailOpenLevel): Rule[] {
    const { rulesAt } = this.#options;
    const known = new Set(rulesAt(than).wanted.map((rule) => JSON.stringify(rule)));
    return rulesAt(level).wanted.filter((rule) => !known.has(JSON.stringify(rule)));
  }

  #lower(level: FailOpenLevel, why: string): void {
    this.level = level;
    const [lost, effect] = level === "none"
      ? ["fail-open", "the rules are as node-cache's, so while nodens does not answer, nobody does"]
      : ['"-m socket"', "a crash is noticed within two seconds instead of at once"];
    const line =
      `IPv${this.family} without ${lost}: ${why}; ${effect}; retried every -syncinterval`;
    this.#options.log("warning", `iptables: ${line}`);
  }
}

function isLasting(fault: IptablesError["fault"]): boolean {
  return fault === "missing" || fault === "permission";
}

function asIptablesError(error: unknown): IptablesError {
  if (error instanceof IptablesError) return error;
  throw error;
}
