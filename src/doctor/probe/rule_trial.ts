import type { RunCommand } from "../../node/rules/command.ts";
import { restoreCommand } from "../../node/rules/iptables.ts";
import { planChanges, restoreInput, type RuleSet } from "../../node/rules/transaction.ts";
import type { FamilyRules } from "../judge/iptables.ts";
import type { MatchFacts } from "./matches.ts";

const LIMIT_MS = 20_000;

/**
 * Has iptables-restore read the very rules that nodens would put in, without putting them in. Null
 * where there is nothing to put in, or where the trial itself would load modules or make tables.
 */
export async function tryRules(
  { rules, set, tables, loaded }: {
    rules: FamilyRules;
    set: RuleSet;
    /** Tables that iptables of the legacy kind has here; null if that is not known. */
    tables: readonly string[] | null;
    /** Matches that the kernel has loaded. */
    loaded: readonly string[] | null;
  },
  run: RunCommand,
): Promise<MatchFacts["test"]> {
  if ("fault" in rules) return null;
  const { family, backends: { used } } = rules;
  const needed = set.wanted.flatMap(({ args }) =>
    args.flatMap((word, i) => args[i - 1] === "-m" ? [word] : [])
  );
  if (!needed.every((match) => loaded?.includes(match))) return null;
  // The legacy kind makes a table as soon as it is looked at.
  const legacy = used.name !== "nft";
  if (legacy && !set.wanted.every(({ table }) => tables?.includes(table))) return null;
  const changes = planChanges(used.saved.rules, set);
  if (changes.length === 0) return { accepted: true, said: "" };
  const [command = "", ...args] = restoreCommand(family, used.name);
  const result = await run(command, {
    args: [...args, "--test"],
    input: restoreInput(changes),
    timeoutMs: LIMIT_MS,
  });
  if (result === null) return null;
  const said = result.stderr.split("\n").find((line) => line.trim() !== "") ?? "";
  return { accepted: result.code === 0, said: said.trim().slice(0, 300) };
}
