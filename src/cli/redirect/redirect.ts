import { type RunCommand, runCommand } from "../../node/rules/command.ts";
import {
  applyChanges,
  type BackendChanges,
  IptablesError,
  readBackends,
  restoreCommand,
} from "../../node/rules/iptables.ts";
import {
  containersLeftOut,
  redirectFamilies,
  type RedirectOptions,
  redirectSet,
} from "../../node/rules/redirect.ts";
import { type Family, joinWords, ruleKey } from "../../node/rules/rule_text.ts";
import { ownership, planChanges, restoreInput } from "../../node/rules/transaction.ts";
import type { Call, CommandIo } from "../command.ts";
import type { Output } from "../output.ts";
import { readRedirectOptions, type RedirectValues } from "./options.ts";

/** `nodens redirect`: 0, or 1 on failure or missing rules. */
export async function run(
  { values, rest: [action] }: Call<RedirectValues>,
  { output }: CommandIo,
  runRules: RunCommand = runCommand,
): Promise<number> {
  const options = readRedirectOptions(values);
  const leftOut = action === "install" ? containersLeftOut(options) : null;
  if (leftOut !== null) output.err(`nodens redirect: ${leftOut}\n`);
  let code = 0;
  for (const family of [4, 6] as const) {
    const wanted = redirectFamilies(options).includes(family);
    try {
      if (action === "status") {
        if (wanted && !await printState(family, options, { output, run: runRules })) code = 1;
        continue;
      }
      const target = action === "install" && wanted ? options : null;
      const plans = await planRedirect(family, target, runRules);
      if (plans.length === 0) output.err(`IPv${family}: nothing to do\n`);
      for (const plan of plans) {
        if (values.n) output.out(shellCommand(plan));
        else {
          await applyChanges(plan, { run: runRules });
          output.err(`IPv${family}: ${plan.changes.length} changes (${plan.backend})\n`);
        }
      }
    } catch (error) {
      if (!(error instanceof IptablesError)) throw error;
      // ip6tables may be missing unless IPv6 was requested.
      if (error.fault === "missing" && !(wanted && action === "install")) continue;
      output.err(`nodens redirect: IPv${family}: ${error.message}\n`);
      code = 1;
    }
  }
  return code;
}

/** Changes for an installation or removal (`null`), by backend. */
async function planRedirect(
  family: Family,
  options: RedirectOptions | null,
  run: RunCommand,
): Promise<BackendChanges[]> {
  const { used, other } = await readBackends(family, { run });
  return [used, ...(other === null ? [] : [other])].map((backend) => {
    const set = redirectSet(family, backend === used ? options : null);
    return { family, backend: backend.name, changes: planChanges(backend.saved.rules, set) };
  }).filter(({ changes }) => changes.length > 0);
}

function shellCommand({ family, backend, changes }: BackendChanges): string {
  const command = restoreCommand(family, backend).join(" ");
  return `${command} <<'EOF'\n${restoreInput(changes)}EOF\n`;
}

/** Returns whether all rules exist. */
async function printState(
  family: Family,
  options: RedirectOptions,
  { output, run }: { output: Output; run: RunCommand },
): Promise<boolean> {
  const { used: { name, saved } } = await readBackends(family, { run });
  const set = redirectSet(family, options);
  const present = saved.rules.filter(ownership(set));
  const keys = new Set(present.map(({ table, chain, args }) => ruleKey(table, chain, args)));
  const missing = set.wanted
    .filter(({ table, chain, args }) => !keys.has(ruleKey(table, chain, args)));
  const state = present.length === 0
    ? "not installed"
    : missing.length === 0
    ? `installed (${present.length} rules, ${name})`
    : `${missing.length} rules are missing or different`;
  output.out(`IPv${family}: ${state}\n`);
  for (const { table, chain, text } of present) output.out(`  -t ${table} -A ${chain} ${text}\n`);
  if (present.length === 0) return false;
  for (const { table, chain, args } of missing) {
    output.out(`  missing: -t ${table} -A ${chain} ${joinWords(args)}\n`);
  }
  return missing.length === 0;
}
