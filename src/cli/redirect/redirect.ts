import { commandText, planRedirect, redirectState } from "../../node/redirect/commands.ts";
import {
  containersLeftOut,
  redirectFamilies,
  type RedirectOptions,
} from "../../node/redirect/redirect.ts";
import { type RunCommand, runCommand } from "../../node/rules/command.ts";
import { applyChanges, IptablesError } from "../../node/rules/iptables.ts";
import type { Family } from "../../node/rules/rule_text.ts";
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
    if (action === "status" && !wanted) continue;
    try {
      if (action === "status") {
        if (!await printState(family, options, { output, run: runRules })) code = 1;
        continue;
      }
      const target = action === "install" && wanted ? options : null;
      const plans = await planRedirect(family, target, runRules);
      for (const plan of plans) {
        if (values.n) output.out(commandText(plan));
        else {
          await applyChanges(plan, { run: runRules });
          output.err(`IPv${family}: ${plan.changes.length} changes (${plan.backend})\n`);
        }
      }
      if (plans.length === 0) output.err(`IPv${family}: nothing to do\n`);
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

async function printState(
  family: Family,
  options: RedirectOptions,
  { output, run }: { output: Output; run: RunCommand },
): Promise<boolean> {
  const { backend, present, missing } = await redirectState(family, options, run);
  const state = present.length === 0
    ? "not installed"
    : missing.length === 0
    ? `installed (${present.length} rules, ${backend})`
    : `${missing.length} rules are missing or different`;
  output.out(`IPv${family}: ${state}\n`);
  for (const rule of present) output.out(`  ${rule}\n`);
  if (present.length === 0) return false;
  for (const rule of missing) output.out(`  missing: ${rule}\n`);
  return missing.length === 0;
}
