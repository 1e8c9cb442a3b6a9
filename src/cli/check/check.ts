import { readConfig } from "../../loading/read.ts";
import type { HostView } from "../../config/host.ts";
import { CorefileErrors } from "../../corefile/error.ts";
import { readFailure } from "../../corefile/read_failure.ts";
import { type Command, commandHelp, usageText } from "../command.ts";
import { type Flag, FlagError, HELP_FLAG, parseFlags } from "../flags.ts";
import type { Output } from "../output.ts";

const FLAGS: readonly Flag[] = [
  { name: "json", kind: "boolean", default: false, help: "print the configuration as JSON" },
  {
    name: "dns.port",
    kind: "number",
    value: "PORT",
    alias: "p",
    default: 53,
    help: "default port",
  },
  HELP_FLAG,
];

/** Description of `nodens check`. */
export const CHECK: Command = {
  name: "check",
  summary: "report every fault of a Corefile",
  forms: [{ args: "[--json] [-dns.port PORT] FILE" }],
  flags: FLAGS,
  operands: [{ name: "FILE" }],
  exitCodes: [
    [0, "no fault"],
    [1, "faults, each told with its line, or a file that cannot be read"],
    [2, "a command line that cannot be understood"],
  ],
};
const PORT = { min: 1, max: 65535 } as const;

/** `nodens check FILE`: 0 for a good Corefile, 1 with every fault of a bad one, 2 for bad usage. */
export async function runCheck(
  args: readonly string[],
  host: HostView,
  output: Output,
): Promise<number> {
  let asked: CheckArguments | null;
  try {
    asked = readArguments(args);
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    output.err(`nodens check: ${error.message}\n${usageText(CHECK)}`);
    return 2;
  }
  if (asked === null) {
    output.out(commandHelp(CHECK));
    return 0;
  }
  const { file, defaultPort, json } = asked;
  let text: string;
  try {
    text = host.readTextFile(file);
  } catch (error) {
    output.err(`nodens check: cannot read "${file}": ${readFailure(error)}\n`);
    return 1;
  }
  try {
    const { config, warnings } = await readConfig({ file, text, defaultPort }, host);
    for (const warning of warnings) output.err(`warning: ${warning}\n`);
    if (json) output.out(`${JSON.stringify(config, null, 2)}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof CorefileErrors)) throw error;
    output.err(`${error.message}\n`);
    return 1;
  }
}

interface CheckArguments {
  file: string;
  defaultPort: number;
  json: boolean;
}

/** What is asked for; null for help. */
function readArguments(args: readonly string[]): CheckArguments | null {
  const { values, rest } = parseFlags(args, FLAGS);
  if (values["h"] === true) return null;
  const [file, ...extra] = rest;
  if (file === undefined) throw new FlagError("it needs the Corefile to look at");
  if (extra.length > 0) throw new FlagError(`it takes one file, but "${extra[0]}" follows`);
  const defaultPort = Number(values["dns.port"]);
  if (defaultPort < PORT.min || defaultPort > PORT.max) {
    throw new FlagError(`flag -dns.port: ${defaultPort} is no port (${PORT.min} to ${PORT.max})`);
  }
  return { file, defaultPort, json: values["json"] === true };
}
