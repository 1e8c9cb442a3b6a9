import type { LogLevel } from "../engine/handler.ts";
import { IptablesError } from "./rules/iptables.ts";
import { nothingOf, RuleKeeper, type RuleKeeperOptions } from "./rules/rule_keeper.ts";
import type { Family, Rule } from "./rules/rule_text.ts";
import type { FailOpenLevel } from "./rules/rules.ts";
import type { RuleSet } from "./rules/transaction.ts";

/** Labels that node-cache counts such errors under. */
export type RuleErrorType = "iptables" | "iptables_lock";

/** How the rules of one family are. */
export interface FamilyState {
  readonly family: Family;
  readonly level: FailOpenLevel;
  /** Commands that were run just now. */
  readonly changes: number;
  /** Why the rules are not as they should be, or null. */
  readonly problem: string | null;
  /** The problem may pass by itself, or by what others do. */
  readonly mayPass: boolean;
}

/** What keeps the rules of one family needs. */
export interface FamilyRulesOptions extends RuleKeeperOptions {
  readonly family: Family;
  /** The level of fail-open to have if the kernel takes it. */
  readonly best: FailOpenLevel;
  /** The rules at a level. */
  readonly rulesAt: (level: FailOpenLevel) => RuleSet;
  /** Whether the heartbeat can be given while rules ask for it; null, or why not. */
  readonly tryHeartbeat: () => Promise<string | null>;
  readonly log: (level: LogLevel, line: string) => void;
  /** Counts an error by its label. */
  readonly count: (type: RuleErrorType) => void;
}

/** Levels, the best one first. */
const LEVELS = ["socket", "heartbeat", "none"] as const satisfies readonly FailOpenLevel[];

/** Pause before another attempt at removing the rules. */
const REMOVE_PAUSE_MS = 250;

/**
 * The iptables rules of one family: kept, turned away, removed. Errors are logged when they are new
 * and counted each time; nothing here rejects.
 *
 * The level of fail-open is lowered only when the kernel refuses the rules of a level in a chain of
 * their own as well, while it takes plain ones there: a fault that passes must not cost the promise
 * that somebody answers while nodens does not. A lowered level is tried again at each look.
 */
export class FamilyRules {
  readonly family: Family;
  readonly #options: FamilyRulesOptions;
  readonly #keeper: RuleKeeper;
  #level: FailOpenLevel;
  /** The level was lowered because of the heartbeat, not of the rules. */
  #lacksHeartbeat = false;
  #problem: string | null = null;
  #warnings: ReadonlySet<string> = new Set();

  constructor(options: FamilyRulesOptions) {
    this.family = options.family;
    this.#options = options;
    this.#keeper = new RuleKeeper(options.family, options);
    this.#level = options.best;
  }

  /** The level of fail-open that the rules have, or are to get. */
  get level(): FailOpenLevel {
    return this.#level;
  }

  /** Why the rules are not as they should be, or null. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Rules of ours may be in place. */
  get hasRules(): boolean {
    return this.#keeper.hasRules;
  }

  /** Makes the rules what they should be, at the best level that the kernel allows. */
  ensure(signal: AbortSignal): Promise<FamilyState> {
    return this.#ensure(signal, () => this.#raise(signal));
  }

  async #ensure(signal: AbortSignal, first: () => Promise<void>): Promise<FamilyState> {
    const { log, count } = this.#options;
    const { family } = this;
    const before = this.#problem;
    let changes = 0;
    let mayPass = false;
    try {
      await first();
      const kept = await this.#keep(signal);
      changes = kept.changes;
      for (const warning of kept.warnings) {
        if (!this.#warnings.has(warning)) log("warning", `iptables: ${warning}`);
      }
      this.#warnings = new Set(kept.warnings);
      this.#problem = null;
      if (changes > 0) {
        log("info", `iptables: rules for IPv${family} put in order (${changes} changes)`);
      } else if (before !== null) {
        log("info", `iptables: the rules for IPv${family} are in order again`);
      }
    } catch (error) {
      const { fault, message } = asIptablesError(error);
      // Stopped meanwhile: the command was killed, which is not a fault.
      if (!signal.aborted) {
        mayPass = fault !== "missing" && fault !== "permission";
        this.#problem = message;
        count(fault === "lock" ? "iptables_lock" : "iptables");
        if (message !== before) {
          const line = `iptables: Cannot put the rules for IPv${family} in order: ${message}`;
          log(fault === "lock" ? "warning" : "error", line);
        }
      }
    }
    return { family, level: this.#level, changes, problem: this.#problem, mayPass };
  }

  /** Makes the rules plain, because the heartbeat cannot be given. */
  async doWithoutHeartbeat(why: string, signal: AbortSignal): Promise<FamilyState> {
    this.#level = "none";
    this.#lacksHeartbeat = true;
    this.#warnLowered(why);
    return await this.#ensure(signal, () => Promise.resolve());
  }

  /** Leaves only some of the wanted rules in. */
  async keepOnly(isKept: (rule: Rule) => boolean, signal: AbortSignal): Promise<void> {
    const set = this.#options.rulesAt(this.#level);
    const all = nothingOf(this.#options.rulesAt("none"));
    try {
      await this.#keeper.keep({ ...all, wanted: set.wanted.filter(isKept) }, {
        signal,
        atStop: true,
      });
    } catch (error) {
      // `remove` tries again, and reports what stands in the way.
      asIptablesError(error);
    }
  }

  /** Takes all rules out; tries until `signal`. Returns whether none is left. */
  async remove(signal: AbortSignal): Promise<boolean> {
    const { rulesAt, log, count, pause } = this.#options;
    const { family } = this;
    const nothing = nothingOf(rulesAt("none"));
    let first: IptablesError | null = null;
    for (;;) {
      try {
        const { changes } = await this.#keeper.keep(nothing, { signal, atStop: true });
        if (changes > 0) log("info", `iptables: ${changes} rules for IPv${family} removed`);
        return true;
      } catch (error) {
        first ??= asIptablesError(error);
        if (first.fault === "missing" && !this.hasRules) return true;
        const isLasting = first.fault === "missing" || first.fault === "permission";
        if (!isLasting) await pause(REMOVE_PAUSE_MS, signal);
        if (!isLasting && !signal.aborted) continue;
      }
      count(first.fault === "lock" ? "iptables_lock" : "iptables");
      const left = this.hasRules
        ? `; they stay, and ${
          this.#level === "none"
            ? "queries to the addresses of -localip reach nobody"
            : "lead no query of others here without a heartbeat"
        }: start nodens again, or take them out by hand: ${this.#keeper.removalCommand}`
        : "";
      log("error", `iptables: Cannot remove the rules for IPv${family}: ${first.message}${left}`);
      return false;
    }
  }

  /** Keeps the rules of the best level that the kernel takes. Throws if it takes none. */
  async #keep(signal: AbortSignal): ReturnType<RuleKeeper["keep"]> {
    let first: IptablesError | null = null;
    for (let level = this.#level;;) {
      try {
        const kept = await this.#keeper.keep(this.#options.rulesAt(level), { signal });
        if (level !== this.#level) {
          this.#level = level;
          this.#lacksHeartbeat = false;
          this.#warnLowered(first!.message);
        }
        return kept;
      } catch (error) {
        first ??= asIptablesError(error);
        const lower = LEVELS[LEVELS.indexOf(level) + 1];
        const isRefused = lower !== undefined && asIptablesError(error).fault === "other" &&
          await this.#isRefused(level, lower, signal);
        if (!isRefused || signal.aborted) throw first;
        level = lower;
      }
    }
  }

  /** Goes back to a better level if the kernel takes its rules by now. */
  async #raise(signal: AbortSignal): Promise<void> {
    const { best, tryHeartbeat, log } = this.#options;
    const better = LEVELS.slice(LEVELS.indexOf(best), LEVELS.indexOf(this.#level));
    const trial = better.length === 0 ? null : this.#keeper.trial(signal);
    if (trial === null) return;
    try {
      for (const level of better) {
        if (await trial.put(this.#more(level, this.#level)) !== null) continue;
        // The rules that are tried make the lists, so that they can be written to.
        if (this.#lacksHeartbeat && await tryHeartbeat() !== null) continue;
        this.#level = level;
        this.#lacksHeartbeat = false;
        log("info", `iptables: IPv${this.family} ${LEVEL_TEXT[level]} again`);
        return;
      }
    } finally {
      await trial.clean();
    }
  }

  async #isRefused(
    level: FailOpenLevel,
    lower: FailOpenLevel,
    signal: AbortSignal,
  ): Promise<boolean> {
    const trial = this.#keeper.trial(signal);
    if (trial === null) return false;
    const plain = this.#options.rulesAt("none").wanted;
    try {
      return await trial.isRefused(this.#more(level, lower), plain);
    } finally {
      await trial.clean();
    }
  }

  /**
   * Rules of a level that another one lacks. To try those alone leaves tables untouched in which the
   * levels are the same, kube-proxy's above all.
   */
  #more(level: FailOpenLevel, than: FailOpenLevel): Rule[] {
    const { rulesAt } = this.#options;
    const known = new Set(rulesAt(than).wanted.map((rule) => JSON.stringify(rule)));
    return rulesAt(level).wanted.filter((rule) => !known.has(JSON.stringify(rule)));
  }

  #warnLowered(why: string): void {
    const { log } = this.#options;
    const start = `iptables: IPv${this.family}`;
    if (this.#level === "none") {
      log(
        "warning",
        `${start} without fail-open: ${why}; the rules are as node-cache's, so while nodens does` +
          " not answer, nobody does; tried again at each look (-syncinterval)",
      );
    } else {
      log(
        "warning",
        `${start} without "-m socket": ${why}; a crash is noticed within two seconds and not at` +
          " once; tried again at each look (-syncinterval)",
      );
    }
  }
}

const LEVEL_TEXT: Record<FailOpenLevel, string> = {
  socket: "has fail-open by heartbeat and socket",
  heartbeat: "has fail-open by heartbeat",
  none: "has no fail-open",
};

function asIptablesError(error: unknown): IptablesError {
  if (error instanceof IptablesError) return error;
  throw error;
}
