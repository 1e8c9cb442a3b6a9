import type { RunCommand } from "../rules/command.ts";
import { type BackendChanges, readBackends, restoreCommand } from "../rules/iptables.ts";
import { type Family, joinWords, ruleKey } from "../rules/rule_text.ts";
import { ownership, planChanges, restoreInput } from "../rules/transaction.ts";
import { type RedirectOptions, redirectSet } from "./redirect.ts";

interface RedirectState {
  readonly backend: BackendChanges["backend"];
  readonly present: readonly string[];
  readonly missing: readonly string[];
}

/** Plans an installation, or removal (`null`), by backend. Throws `IptablesError`. */
export async function planRedirect(
  family: Family,
  options: RedirectOptions | null,
  run: RunCommand,
): Promise<BackendChanges[]> {
  const { used, other } = await readBackends(family, { run });
  return [used, ...(other === null ? [] : [other])].map((backend) => ({
    family,
    backend: backend.name,
    changes: planChanges(
      backend.saved.rules,
      redirectSet(family, backend === used ? options : null),
    ),
  })).filter(({ changes }) => changes.length > 0);
}

/** Formats a plan as a shell command. */
export function commandText({ family, backend, changes }: BackendChanges): string {
  const command = restoreCommand(family, backend).join(" ");
  return `${command} <<'EOF'\n${restoreInput(changes)}EOF\n`;
}

/** Compares installed and wanted redirect. Throws `IptablesError`. */
export async function redirectState(
  family: Family,
  options: RedirectOptions,
  run: RunCommand,
): Promise<RedirectState> {
  const { used } = await readBackends(family, { run });
  const set = redirectSet(family, options);
  const ours = used.saved.rules.filter(ownership(set));
  const keys = new Set(ours.map((rule) => ruleKey(rule.table, rule.chain, rule.args)));
  return {
    backend: used.name,
    present: ours.map(({ table, chain, text }) => `-t ${table} -A ${chain} ${text}`),
    missing: set.wanted
      .filter(({ table, chain, args }) => !keys.has(ruleKey(table, chain, args)))
      .map(({ table, chain, args }) => `-t ${table} -A ${chain} ${joinWords(args)}`),
  };
}
