import type { RunCommand } from "./command.ts";
import {
  applyChanges,
  type Backend,
  type Backends,
  IptablesError,
  readBackends,
} from "./iptables.ts";
import { findObstacles } from "./obstacles.ts";
import type { Family } from "./rule_text.ts";
import { ownership, planChanges, type RuleSet } from "./transaction.ts";

/** Others may change the rules between reading and changing them; then it is tried again. */
const ATTEMPTS = 3;

/** What has been done to the rules of one family. */
export interface KeptRules {
  /** Commands that were run; 0 where all was as wanted. */
  readonly changes: number;
  /** What the operator should know, though it is no failure. */
  readonly warnings: readonly string[];
}

/**
 * Makes the rules of one family the wanted ones, in the backend that the node uses, and takes ours
 * out of the other.
 *
 * Throws `IptablesError`; then nothing, or all of some tables, has been changed.
 */
export async function keepRules(
  family: Family,
  set: RuleSet,
  run: RunCommand,
): Promise<KeptRules> {
  let changes = 0;
  for (let attempt = 1;; attempt++) {
    const backends = await readBackends(family, run);
    const { used, other } = backends;
    const plan = planChanges(used.saved.rules, set);
    const leftOver = other === null ? [] : planChanges(other.saved.rules, nothingOf(set));
    if (plan.length === 0 && leftOver.length === 0) {
      return { changes, warnings: warningsOf(backends, { family, set }) };
    }
    if (attempt > ATTEMPTS) {
      throw new IptablesError(
        "busy",
        `the rules change as soon as they are put in: somebody else` +
          ` removes or repeats "${(plan[0] ?? leftOver[0])!.line}"`,
      );
    }
    try {
      if (plan.length > 0) await applyChanges({ family, backend: used.name, changes: plan }, run);
      if (other !== null && leftOver.length > 0) {
        await applyChanges({ family, backend: other.name, changes: leftOver }, run);
      }
      changes += plan.length + leftOver.length;
    } catch (error) {
      const again = error instanceof IptablesError && error.fault === "other";
      if (!again || attempt === ATTEMPTS) throw error;
    }
  }
}

/** The same set with nothing wanted: what takes all of ours out. */
export function nothingOf({ wanted, owned, comments }: RuleSet): RuleSet {
  return { wanted: [], owned: [...wanted, ...owned], comments };
}

function warningsOf(
  { used, other, reason }: Backends,
  { family, set }: { family: Family; set: RuleSet },
): string[] {
  const isOurs = ownership(set);
  const warnings = findObstacles(used.saved.rules, set.wanted, isOurs);
  if (other !== null && countForeign(other, isOurs) > 0) {
    const program = family === 4 ? "iptables" : "ip6tables";
    warnings.push(
      `${program} rules are mixed: ${countForeign(used, isOurs)} in ${used.name} and` +
        ` ${countForeign(other, isOurs)} in ${other.name} besides those of nodens, which are in` +
        ` ${used.name} because ${reason}; both kinds see every packet, so move all to one of them`,
    );
  }
  return warnings;
}

function countForeign({ saved }: Backend, isOurs: ReturnType<typeof ownership>): number {
  return saved.rules.filter((rule) => !isOurs(rule)).length;
}
