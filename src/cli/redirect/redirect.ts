import { type RunCommand } from "../../node/rules/command.ts";
import { applyChanges, type BackendChanges, IptablesError } from "../../node/rules/iptables.ts";
import {
  containersLeftOut,
  redirectFamilies,
  type RedirectOptions,
} from "../../node/redirect/redirect.ts";
import { readRedirectArguments } from "../../node/redirect/arguments.ts";
import { commandText, planRedirect, redirectState } from "../../node/redirect/commands.ts";
import type { Family } from "../../node/rules/rule_text.ts";
import { FlagError, parseFlags } from "../flags.ts";
import type { Output } from "../output.ts";
import { ACTIONS, REDIRECT_FLAGS } from "./flags.ts";

const FLAG_NAMES = {
  to: "to",
  port: "port",
  only: "only",
  except: "except",
  exceptUser: "except-uid",
  interfaces: "interface",
};
const FAMILIES: readonly Family[] = [4, 6];

interface Asked {
  action: (typeof ACTIONS)[number];
  options: RedirectOptions;
  dryRun: boolean;
}

/**
 * `nodens redirect`: installs the rules that send port-53 traffic to nodens, removes them, or reports
 * their state. Returns 0, or 1 if that failed or rules are missing. Throws `FlagError`.
 */
export async function runRedirect(
  args: readonly string[],
  output: Output,
  run: RunCommand,
): Promise<number> {
  const { action, options, dryRun } = readArguments(args);
  const leftOut = action === "install" ? containersLeftOut(options) : null;
  if (leftOut !== null) output.err(`nodens redirect: ${leftOut}\n`);
  let code = 0;
  for (const family of FAMILIES) {
    const wanted = redirectFamilies(options).includes(family);
    // A host without IPv6 may lack ip6tables; that is a fault only if it was asked for.
    if (action === "status" && !wanted) continue;
    try {
      if (action === "status") {
        if (!await tell(family, options, { output, run })) code = 1;
        continue;
      }
      const plans = await planRedirect(
        family,
        action === "install" && wanted ? options : null,
        run,
      );
      for (const plan of plans) {
        if (dryRun) output.out(commandText(plan));
        else await apply(plan, { output, run });
      }
      if (plans.length === 0) output.err(`IPv${family}: nothing to do\n`);
    } catch (error) {
      if (!(error instanceof IptablesError)) throw error;
      if (error.fault === "missing" && !(wanted && action === "install")) continue;
      output.err(`nodens redirect: IPv${family}: ${error.message}\n`);
      code = 1;
    }
  }
  return code;
}

async function apply(
  plan: BackendChanges,
  { output, run }: { output: Output; run: RunCommand },
): Promise<void> {
  await applyChanges(plan, { run });
  const { family, backend, changes } = plan;
  output.err(`IPv${family}: ${changes.length} changes (${backend})\n`);
}

async function tell(
  family: Family,
  options: RedirectOptions,
  { output, run }: { output: Output; run: RunCommand },
): Promise<boolean> {
  const { backend, present, missing } = await redirectState(family, options, run);
  const how = present.length === 0
    ? "not installed"
    : missing.length === 0
    ? `installed (${present.length} rules, ${backend})`
    : `${missing.length} rules are missing or different`;
  output.out(`IPv${family}: ${how}\n`);
  for (const rule of present) output.out(`  ${rule}\n`);
  if (present.length > 0) { for (const rule of missing) output.out(`  missing: ${rule}\n`); }
  return present.length > 0 && missing.length === 0;
}

function readArguments(args: readonly string[]): Asked {
  const { values, rest } = parseFlags(args, REDIRECT_FLAGS);
  const [word, ...extra] = rest;
  const action = ACTIONS.find((one) => one === word);
  if (word === undefined) throw new FlagError(`it needs one of ${ACTIONS.join(", ")}`);
  if (action === undefined) throw new FlagError(`"${word}" is unknown (${ACTIONS.join(", ")})`);
  if (extra.length > 0) throw new FlagError(`"${extra[0]}" follows, but nothing is expected`);
  const { to, port, only, except, containers, failopen, n: dryRun } = values;
  try {
    const options = readRedirectArguments({
      to,
      port,
      only,
      except,
      exceptUser: values["except-uid"],
      interfaces: values.interface,
      containers,
      failOpen: failopen,
    }, FLAG_NAMES);
    return { action, options, dryRun };
  } catch (error) {
    throw error instanceof RangeError ? new FlagError(error.message) : error;
  }
}
