import type { SelfChecks } from "../control/plane/self_checks.ts";
import { runCommand } from "./rules/command.ts";
import { Heartbeat } from "./heartbeat.ts";
import { NodeRules, type NodeRulesOptions } from "./node_rules.ts";
import { OWN_MARK } from "./rules/rules.ts";

/** Keeps the rules of this machine, with the heartbeat that the data plane gives. */
export function linuxNodeRules(
  checks: SelfChecks,
  options: Omit<NodeRulesOptions, "run" | "heartbeat">,
): NodeRules {
  const heartbeat = new Heartbeat((beats, { handedOver: leave }) => {
    const entries = beats.map(({ list, entry, target }) => ({
      list,
      entry,
      target: { ...target, mark: OWN_MARK },
    }));
    return checks.keepEntries(entries, { leave });
  });
  const rules = new NodeRules({ ...options, run: runCommand, heartbeat });
  checks.onUnwritable = () => rules.ensureSoon();
  return rules;
}
