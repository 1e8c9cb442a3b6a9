import type { HostView } from "../../config/host.ts";
import type { Config } from "../../config/types.ts";
import { commandHost } from "../../control/host_deno.ts";
import { CorefileErrors } from "../../corefile/error.ts";
import { canonicalAddress } from "../../dns/address.ts";
import { describeConfig } from "../../loading/describe.ts";
import { readConfig } from "../../loading/load.ts";
import type { Call, CommandIo } from "../command.ts";
import { readFile } from "../failure.ts";

/** `nodens check FILE`: 0, or 1 with every fault. */
export async function run(
  { values, rest }: Call<{ json: boolean; strict: boolean; "dns.port": number }>,
  { output }: CommandIo,
  host: HostView = commandHost,
): Promise<number> {
  const file = rest[0]!;
  const text = readFile(file, host);
  const warn = (warning: string) => output.err(`warning: ${warning}\n`);
  try {
    const source = { file, text, defaultPort: values["dns.port"] };
    const { config, warnings } = await readConfig(source, host);
    warnings.push(...unboundAddresses(config, host));
    warnings.forEach(warn);
    const result = values.json
      ? JSON.stringify(config, null, 2)
      : describeConfig(config).join("\n");
    output.out(`${result}\n`);
    return values.strict && warnings.length > 0 ? 1 : 0;
  } catch (error) {
    if (!(error instanceof CorefileErrors)) throw error;
    error.warnings.forEach(warn);
    output.err(`${error.message}\n`);
    return 1;
  }
}

function unboundAddresses({ file, listeners }: Config, host: HostView): string[] {
  const own = new Set(host.interfaces().map(({ address }) => canonicalAddress(address)));
  const addresses = listeners.map(({ address }) => address).filter((address) =>
    address !== "" && address !== "0.0.0.0" && !address.startsWith("127.") && !own.has(address)
  );
  return [...new Set(addresses)].map((address) =>
    `${file}: no interface of this machine has the address ${address} (bind another one; with ` +
    "-localip nodens adds it to its own interface)"
  );
}
