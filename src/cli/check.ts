import { checkPatterns } from "../config/patterns.ts";
import { loadConfig } from "../config/load.ts";
import type { HostView } from "../config/host.ts";
import { CorefileErrors } from "../corefile/error.ts";
import { type Flag, FlagError, parseFlags } from "./flags.ts";
import type { Output } from "./output.ts";

const FLAGS: readonly Flag[] = [
  { name: "json", kind: "boolean", default: false, help: "print the configuration as JSON" },
  { name: "dns.port", kind: "number", alias: "p", default: 53, help: "default port" },
];

/** `nodens check FILE`: 0 for a good Corefile, 1 with every fault of a bad one, 2 for bad usage. */
export async function runCheck(
  args: readonly string[],
  host: HostView,
  output: Output,
): Promise<number> {
  let parsed: ReturnType<typeof parseFlags>;
  try {
    parsed = parseFlags(args, FLAGS);
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    output.err(`nodens check: ${error.message}\n`);
    return 2;
  }
  const [file, ...extra] = parsed.rest;
  if (file === undefined || extra.length > 0) {
    output.err("nodens check: name one Corefile (nodens check [--json] [-dns.port PORT] FILE)\n");
    return 2;
  }
  let text: string;
  try {
    text = host.readTextFile(file);
  } catch (error) {
    output.err(`Cannot read "${file}": ${(error as Error).message}\n`);
    return 1;
  }
  try {
    const defaultPort = Number(parsed.values["dns.port"]);
    const { config, warnings } = loadConfig({ file, text, defaultPort }, host);
    await checkPatterns(config);
    for (const warning of warnings) output.err(`warning: ${warning}\n`);
    if (parsed.values["json"] === true) output.out(`${JSON.stringify(config, null, 2)}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof CorefileErrors)) throw error;
    output.err(`${error.message}\n`);
    return 1;
  }
}
