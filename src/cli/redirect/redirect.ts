import { type RunCommand } from "../../node/rules/command.ts";
import { applyChanges, IptablesError } from "../../node/rules/iptables.ts";
import {
  containersLeftOut,
  redirectFamilies,
  type RedirectOptions,
} from "../../node/redirect/redirect.ts";
import { readRedirectArguments } from "../../node/redirect/arguments.ts";
import {
  commandText,
  planRedirect,
  type RedirectPlan,
  redirectState,
} from "../../node/redirect/commands.ts";
import type { Family } from "../../node/rules/rule_text.ts";
import { localUserId } from "../../node/redirect/user_id.ts";
import { type Command, commandHelp, usageText } from "../command.ts";
import { type Flag, FlagError, HELP_FLAG, parseFlags } from "../flags.ts";
import type { Output } from "../output.ts";

const FLAGS: readonly Flag[] = [
  { name: "n", kind: "boolean", default: false, help: "print the commands and run none" },
  {
    name: "to",
    kind: "text",
    value: "ADDRESSES",
    default: "",
    help: "address of nodens, one a family, with a comma between; else it listens on all",
  },
  { name: "port", kind: "number", value: "PORT", default: 53, help: "port of nodens" },
  {
    name: "only",
    kind: "text",
    value: "ADDRESSES",
    default: "",
    help: "servers to redirect from; else all others",
  },
  {
    name: "except",
    kind: "text",
    value: "ADDRESSES",
    default: "",
    help: "servers whose traffic is left alone",
  },
  {
    name: "except-uid",
    kind: "text",
    value: "USER",
    default: "",
    help: "user whose traffic is left alone",
  },
  {
    name: "interface",
    kind: "text",
    value: "NAMES",
    default: "",
    help: "interfaces of containers (docker0,br-+); else all",
  },
  { name: "containers", kind: "boolean", default: true, help: "containers as well as the host" },
  { name: "failopen", kind: "boolean", default: true, help: "only while nodens answers" },
  HELP_FLAG,
];
const FLAG_NAMES = {
  to: "to",
  port: "port",
  only: "only",
  except: "except",
  exceptUid: "except-uid",
  interfaces: "interface",
};
const ACTIONS = ["install", "remove", "status"] as const;
const FAMILIES: readonly Family[] = [4, 6];

/** Description of `nodens redirect`. */
export const REDIRECT: Command = {
  name: "redirect",
  summary: "send the host's queries to nodens, by iptables rules",
  forms: [{ args: "install|remove|status [-n] [FLAGS]" }],
  flags: FLAGS,
  operands: [{ name: "ACTION", values: ACTIONS }],
  exitCodes: [
    [0, "done; with status: all rules are there"],
    [1, "that failed; with status: rules are missing"],
    [2, "a command line that cannot be understood"],
  ],
};

interface Asked {
  action: (typeof ACTIONS)[number];
  options: RedirectOptions;
  dryRun: boolean;
  help: boolean;
}

/**
 * `nodens redirect`: puts the rules in that send port-53 traffic to nodens, takes them out, or tells
 * how they are. Returns 0, 1 where that failed (or the rules are not all there), 2 for bad usage.
 */
export async function runRedirect(
  args: readonly string[],
  output: Output,
  run: RunCommand,
): Promise<number> {
  let asked: Asked;
  try {
    asked = readArguments(args);
  } catch (error) {
    if (!(error instanceof FlagError) && !(error instanceof RangeError)) throw error;
    output.err(`nodens redirect: ${error.message}\n${usageText(REDIRECT)}`);
    return 2;
  }
  if (asked.help) {
    output.out(commandHelp(REDIRECT));
    return 0;
  }
  const { action, options, dryRun } = asked;
  const leftOut = action === "install" ? containersLeftOut(options) : null;
  if (leftOut !== null) output.err(`nodens redirect: ${leftOut}\n`);
  let code = 0;
  for (const family of FAMILIES) {
    const wanted = redirectFamilies(options).includes(family);
    // A host without IPv6 has no ip6tables perhaps; what was not asked for is no fault of it.
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
  plan: RedirectPlan,
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
  const { values, rest } = parseFlags(args, FLAGS);
  const [action, ...extra] = rest;
  const known = ACTIONS.find((one) => one === action);
  if (values["h"] !== true) {
    if (action === undefined) throw new FlagError(`it needs one of ${ACTIONS.join(", ")}`);
    if (known === undefined) {
      throw new FlagError(`"${action}" is unknown (${ACTIONS.join(", ")})`);
    }
    if (extra.length > 0) throw new FlagError(`"${extra[0]}" follows, but nothing is expected`);
  }
  const options = readRedirectArguments({
    to: String(values["to"]),
    port: Number(values["port"]),
    only: String(values["only"]),
    except: String(values["except"]),
    exceptUid: localUserId(String(values["except-uid"])),
    interfaces: String(values["interface"]),
    containers: values["containers"] === true,
    failOpen: values["failopen"] === true,
  }, FLAG_NAMES);
  return {
    action: known ?? "status",
    options,
    dryRun: values["n"] === true,
    help: values["h"] === true,
  };
}
