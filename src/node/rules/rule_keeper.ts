import { type Clock, pause } from "../../base/clock.ts";
import type { RunCommand } from "./command.ts";
import {
  applyChanges,
  type Backend,
  type BackendChanges,
  type BackendName,
  type Backends,
  IptablesError,
  LOCK_WAIT_AT_STOP_SECONDS,
  LOCK_WAIT_SECONDS,
  readBackends,
  removalCommand,
} from "./iptables.ts";
import { findObstacles } from "./obstacles.ts";
import type { Family } from "./rule_text.ts";
import { planTrialRemoval, RuleTrial } from "./rule_trial.ts";
import { inverseOf, nothingOf, ownership, planChanges, type RuleSet } from "./transaction.ts";

/** Concurrent changes require repetition. */
const ATTEMPTS = 3;
const ATTEMPT_PAUSE_MS = 200;

/** Changes of one family. */
export interface KeptRules {
  readonly changes: number;
  readonly warnings: readonly string[];
}

/** `RuleKeeper` options. */
export interface RuleKeeperOptions {
  readonly run: RunCommand;
  readonly clock: Clock;
}

interface KeepOptions {
  readonly signal: AbortSignal;
  readonly atStop?: boolean;
}

/** Maintains one family's rules. */
export class RuleKeeper {
  readonly #family: Family;
  readonly #options: RuleKeeperOptions;
  #known = new Set<BackendName>();

  constructor(family: Family, options: RuleKeeperOptions) {
    this.#family = family;
    this.#options = options;
  }

  get hasRules(): boolean {
    return this.#known.size > 0;
  }

  get removalCommand(): string {
    return removalCommand(this.#family, [...this.#known].at(-1) ?? "default");
  }

  /** Installs and verifies rules in one backend; tables are atomic. Throws `IptablesError`. */
  async keep(set: RuleSet, { signal, atStop = false }: KeepOptions): Promise<KeptRules> {
    const { run, clock } = this.#options;
    const family = this.#family;
    const lockWaitSeconds = atStop ? LOCK_WAIT_AT_STOP_SECONDS : LOCK_WAIT_SECONDS;
    const done: BackendChanges[] = [];
    const plan = ({ name, saved }: Backend, wanted: RuleSet): BackendChanges => ({
      family,
      backend: name,
      changes: [...planTrialRemoval(saved), ...planChanges(saved.rules, wanted)],
    });
    for (let attempt = 1;; attempt++) {
      const backends = await readBackends(family, { run, signal, known: this.#known });
      const { used, other } = backends;
      // The other first: rules are never in both.
      const plans = [...other === null ? [] : [plan(other, nothingOf(set))], plan(used, set)]
        .filter(({ changes }) => changes.length > 0);
      if (plans.length === 0) {
        this.#known = new Set([used.name]);
        const changes = done.reduce((sum, { changes }) => sum + changes.length, 0);
        return { changes, warnings: warningsOf(backends, { family, set }) };
      }
      if (attempt > ATTEMPTS) {
        await this.#revert(done, signal);
        throw new IptablesError(
          "busy",
          "the rules change as soon as they are installed, or iptables-save does not print them:" +
            ` somebody else removes or repeats "${plans[0]!.changes[0]!.line}"`,
        );
      }
      try {
        for (const one of plans) {
          // A killed command may have succeeded.
          this.#known.delete(one.backend);
          this.#known.add(one.backend);
          await applyChanges(one, { run, signal, lockWaitSeconds });
          done.push(one);
        }
      } catch (error) {
        const again = error instanceof IptablesError && error.fault === "other";
        if (!again || attempt === ATTEMPTS || signal.aborted) throw error;
        await pause(clock, ATTEMPT_PAUSE_MS * attempt, signal);
      }
    }
  }

  /** Creates a trial in the backend with our rules, if any. */
  trial(signal: AbortSignal): RuleTrial | null {
    const backend = [...this.#known].at(-1);
    if (backend === undefined) return null;
    return new RuleTrial({ ...this.#options, family: this.#family, backend, signal });
  }

  async #revert(done: readonly BackendChanges[], signal: AbortSignal): Promise<void> {
    for (const one of done.toReversed()) {
      const changes = inverseOf(one.changes);
      if (changes.length === 0) continue;
      try {
        await applyChanges({ ...one, changes }, { run: this.#options.run, signal });
      } catch (error) {
        if (!(error instanceof IptablesError)) throw error;
      }
    }
  }
}

function warningsOf(
  { used, other, reason, unread }: Backends,
  { family, set }: { family: Family; set: RuleSet },
): string[] {
  const isOurs = ownership(set);
  const countForeign = ({ saved }: Backend) => saved.rules.filter((rule) => !isOurs(rule)).length;
  const warnings = findObstacles(used.saved.rules, set.wanted, isOurs);
  if (unread !== null) {
    warnings.push(
      `the other kind of iptables cannot be read, so rules that were left in it stay: ${unread}`,
    );
  }
  if (other !== null && countForeign(other) > 0) {
    const program = family === 4 ? "iptables" : "ip6tables";
    warnings.push(
      `${program} rules are mixed: ${countForeign(used)} in ${used.name} and` +
        ` ${countForeign(other)} in ${other.name} besides those of nodens, which are in` +
        ` ${used.name} because ${reason}; both kinds see every packet, so move all to one of them`,
    );
  }
  return warnings;
}
