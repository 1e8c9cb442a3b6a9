import type { HostView } from "../../config/host.ts";
import type { Dispenser } from "../../corefile/dispenser.ts";
import { quote } from "../../corefile/quote.ts";
import { readFailure } from "../../corefile/read_failure.ts";
import { parseAddress } from "../../dns/address.ts";

/** Most servers that one file may name; the C library itself takes three. */
const MAX_SERVERS = 100;

/**
 * Addresses of the `nameserver` lines of a file in the form of resolv.conf(5).
 *
 * Throws `CorefileError` where it cannot be read. Lines that name no address are passed over with a
 * warning; all other lines are for the C library, and have no meaning here.
 */
export function readResolvConf(
  tokens: Dispenser,
  path: string,
  { host, warn }: { host: HostView; warn: (text: string) => void },
): string[] {
  let text: string;
  try {
    text = host.readTextFile(path);
  } catch (error) {
    throw tokens.error(`cannot read ${quote(path)}: ${readFailure(error)}`);
  }
  const servers: string[] = [];
  for (const line of text.split("\n")) {
    const [word, address] = line.trim().split(/\s+/);
    if (word !== "nameserver" || address === undefined) continue;
    if (parseAddress(address.split("%")[0]!) === null) {
      warn(`${path}: ${quote(address)} is no IP address; the line is ignored`);
    } else if (servers.length < MAX_SERVERS) {
      servers.push(address);
    }
  }
  return servers;
}
