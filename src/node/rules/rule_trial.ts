import { applyChanges, type Backend, IptablesError, type RunOptions } from "./iptables.ts";
import type { pause } from "./pause.ts";
import { type Family, joinWords, type Rule } from "./rule_text.ts";
import type { SavedRules } from "./saved_rules.ts";
import type { Change } from "./transaction.ts";

/** A chain that nothing jumps to, so that what is in it concerns no packet. */
export const TRIAL_CHAIN = "NODENS-TRIAL";

/**
 * How often rules must be refused, each time with plain ones accepted right after: a fault that comes
 * and goes hits both.
 */
const ROUNDS = 3;
/** Pause between two rounds; faults that pass were seen to last some 60 ms. */
const ROUND_PAUSE_MS = 300;

/** Errors of a kernel that is short of something for the moment. */
const PASSING =
  /temporarily unavailable|resource busy|cannot allocate memory|no buffer space|interrupted system call|too many open files|timed out|message too long|no space left|text file busy/i;

/** Where rules are tried. */
export interface RuleTrialOptions extends RunOptions {
  readonly family: Family;
  readonly backend: Backend["name"];
  readonly pause: typeof pause;
}

/** Tries rules in a chain of their own, to tell what a kernel lacks from a fault that passes. */
export class RuleTrial {
  readonly #options: RuleTrialOptions;
  readonly #tables = new Set<string>();

  constructor(options: RuleTrialOptions) {
    this.#options = options;
  }

  /** Puts rules into the chain, in place of what was there; null, or why the kernel refused. */
  async put(rules: readonly Rule[]): Promise<IptablesError | null> {
    const tables = new Set<string>(rules.map(({ table }) => table));
    for (const table of tables) this.#tables.add(table);
    const changes = [
      ...[...tables].map((table) => emptyChain(table)),
      ...rules.map(({ table, args }) => ({
        table,
        line: `-A ${TRIAL_CHAIN} ${joinWords(args)}`,
      })),
    ];
    try {
      await applyChanges({ ...this.#options, changes }, this.#options);
      return null;
    } catch (error) {
      if (error instanceof IptablesError) return error;
      throw error;
    }
  }

  /** Whether the kernel refuses rules for good, though it takes plain ones. */
  async isRefused(rules: readonly Rule[], plain: readonly Rule[]): Promise<boolean> {
    for (let round = 1;; round++) {
      const fault = await this.put(rules);
      if (fault?.fault !== "other" || PASSING.test(fault.message)) return false;
      if (await this.put(plain) !== null) return false;
      if (round === ROUNDS) return true;
      await this.#options.pause(ROUND_PAUSE_MS, this.#options.signal);
    }
  }

  /** Takes the chain away. Where that fails, the next look at the rules does it. */
  async clean(): Promise<void> {
    for (const table of this.#tables) {
      try {
        await applyChanges({ ...this.#options, changes: removeChain(table) }, this.#options);
      } catch (error) {
        if (!(error instanceof IptablesError)) throw error;
      }
    }
    this.#tables.clear();
  }
}

/** What takes away chains that an interrupted trial has left. */
export function planTrialRemoval({ chains }: SavedRules): Change[] {
  return [...chains].flatMap((chain) => {
    const [table = "", name] = chain.split(" ");
    return name === TRIAL_CHAIN ? removeChain(table) : [];
  });
}

/** iptables-restore makes a chain that is not there, and empties one that is. */
function emptyChain(table: string): Change {
  return { table, line: `:${TRIAL_CHAIN} - [0:0]` };
}

function removeChain(table: string): Change[] {
  return [emptyChain(table), { table, line: `-X ${TRIAL_CHAIN}` }];
}
