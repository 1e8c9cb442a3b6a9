import { type Clock, pause } from "../../base/clock.ts";
import { applyChanges, type BackendName, IptablesError, type RunOptions } from "./iptables.ts";
import { type Family, joinWords, type Rule, type SavedRules } from "./rule_text.ts";
import type { Change } from "./transaction.ts";

/** Unreferenced, so its rules affect no packet. */
const TRIAL_CHAIN = "NODENS-TRIAL";

/** A passing fault also hits plain rules. */
const ROUNDS = 3;
/** Observed faults lasted some 60 ms. */
const ROUND_PAUSE_MS = 300;

const PASSING =
  /temporarily unavailable|resource busy|cannot allocate memory|no buffer space|interrupted system call|too many open files|timed out|message too long|no space left|text file busy/i;

interface RuleTrialOptions extends RunOptions {
  readonly family: Family;
  readonly backend: BackendName;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

/** Tries rules in a separate chain: distinguishes missing features from passing faults. */
export class RuleTrial implements AsyncDisposable {
  readonly #options: RuleTrialOptions;
  readonly #tables = new Set<string>();

  constructor(options: RuleTrialOptions) {
    this.#options = options;
  }

  async put(rules: readonly Rule[]): Promise<IptablesError | null> {
    const tables = [...new Set<string>(rules.map(({ table }) => table))];
    for (const table of tables) this.#tables.add(table);
    return await this.#apply([
      ...tables.map(emptyChain),
      ...rules.map(({ table, args }) => ({ table, line: `-A ${TRIAL_CHAIN} ${joinWords(args)}` })),
    ]);
  }

  /** Whether the kernel consistently refuses only these. */
  async isRefused(rules: readonly Rule[], plain: readonly Rule[]): Promise<boolean> {
    const { clock, signal } = this.#options;
    for (let round = 1;; round++) {
      const fault = await this.put(rules);
      if (fault?.fault !== "other" || PASSING.test(fault.message)) return false;
      if (await this.put(plain) !== null) return false;
      if (round === ROUNDS) return true;
      await pause(clock, ROUND_PAUSE_MS, signal);
    }
  }

  /** Removes the chain; on failure, the next check does. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const table of this.#tables) await this.#apply(removeChain(table));
    this.#tables.clear();
  }

  async #apply(changes: Change[]): Promise<IptablesError | null> {
    try {
      await applyChanges({ ...this.#options, changes }, this.#options);
      return null;
    } catch (error) {
      if (error instanceof IptablesError) return error;
      throw error;
    }
  }
}

/** Removes chains of interrupted trials. */
export function planTrialRemoval({ chains }: SavedRules): Change[] {
  return [...chains].flatMap((chain) => {
    const [table = "", name] = chain.split(" ");
    return name === TRIAL_CHAIN ? removeChain(table) : [];
  });
}

function emptyChain(table: string): Change {
  return { table, line: `:${TRIAL_CHAIN} - [0:0]` };
}

function removeChain(table: string): Change[] {
  return [emptyChain(table), { table, line: `-X ${TRIAL_CHAIN}` }];
}
