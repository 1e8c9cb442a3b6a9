import { readConfig } from "../../loading/read.ts";
import type { HostView } from "../../config/host.ts";
import type { Config } from "../../config/types.ts";
import { describeConfig } from "../../loading/describe.ts";
import { canonicalAddress } from "../../dns/address.ts";
import { CorefileErrors } from "../../corefile/error.ts";
import { readFailure } from "../../corefile/read_failure.ts";
import { FlagError, parseFlags } from "../flags.ts";
import type { Output } from "../output.ts";
import { CHECK_FLAGS } from "./flags.ts";

const PORT = { min: 1, max: 65535 } as const;

/** `nodens check FILE`: 0 for a good Corefile, 1 with every fault of a bad one. Throws `FlagError`. */
export async function runCheck(
  args: readonly string[],
  host: HostView,
  output: Output,
): Promise<number> {
  const { file, defaultPort, json, strict } = readArguments(args);
  let text: string;
  try {
    text = host.readTextFile(file);
  } catch (error) {
    output.err(`nodens check: cannot read "${file}": ${readFailure(error)}\n`);
    return 1;
  }
  try {
    const { config, warnings } = await readConfig({ file, text, defaultPort }, host);
    warnings.push(...unboundAddresses(config, host));
    for (const warning of warnings) output.err(`warning: ${warning}\n`);
    const result = json ? JSON.stringify(config, null, 2) : describeConfig(config).join("\n");
    output.out(`${result}\n`);
    return strict && warnings.length > 0 ? 1 : 0;
  } catch (error) {
    if (!(error instanceof CorefileErrors)) throw error;
    for (const warning of error.warnings) output.err(`warning: ${warning}\n`);
    output.err(`${error.message}\n`);
    return 1;
  }
}

/** Warnings of addresses to listen on that no interface of this machine has. */
function unboundAddresses({ file, listeners }: Config, host: HostView): string[] {
  const own = new Set(host.interfaces().map(({ address }) => canonicalAddress(address)));
  const addresses = listeners.map(({ address }) => address).filter((address) =>
    address !== "" && address !== "0.0.0.0" && !address.startsWith("127.") && !own.has(address)
  );
  return [...new Set(addresses)].map((address) =>
    `${file}: no interface of this machine has the address ${address} (bind another one; with ` +
    "-localip nodens gives it to an interface of its own)"
  );
}

interface CheckArguments {
  file: string;
  defaultPort: number;
  json: boolean;
  /** Warnings count as faults. */
  strict: boolean;
}

function readArguments(args: readonly string[]): CheckArguments {
  const { values, rest } = parseFlags(args, CHECK_FLAGS);
  const [file, ...extra] = rest;
  if (file === undefined) throw new FlagError("it needs the Corefile to look at");
  if (extra.length > 0) throw new FlagError(`it takes one file, but "${extra[0]}" follows`);
  const defaultPort = values["dns.port"];
  if (defaultPort < PORT.min || defaultPort > PORT.max) {
    throw new FlagError(
      `flag -dns.port: ${defaultPort} is not a port (${PORT.min} to ${PORT.max})`,
    );
  }
  return { file, defaultPort, json: values.json, strict: values.strict };
}
