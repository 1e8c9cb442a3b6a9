import { parseAddress } from "../../../dns/address.ts";
import { parseEndpoint, type WrittenEndpoint } from "../../../upstream/endpoint.ts";
import { labelOf, type ServerAddress, type ServerTransport } from "../../../upstream/options.ts";
import { VerbError } from "../../verbs.ts";

const MAX_NAMED = 10;
const MAX_QUOTED = 100;

/** By label, or a unique part: `10.0.0.10`, `tls://9.9.9.9`. Throws `VerbError`. */
export function matchServer(text: string, servers: readonly ServerAddress[]): ServerAddress {
  const unique = new Map(servers.map((server) => [labelOf(server), server]));
  const exact = unique.get(text);
  if (exact !== undefined) return exact;
  const [, scheme = null, rest = ""] = /^(?:([a-z]+):\/\/)?(.*)$/s.exec(text) ?? [];
  const found = [...unique.values()].filter((server) =>
    (scheme === null || scheme === server.transport) && isAt(server, rest)
  );
  if (found.length === 1) return found[0]!;
  const quoted = JSON.stringify(text.slice(0, MAX_QUOTED));
  if (found.length > 1) {
    throw new VerbError(`${quoted} may be ${listed(found)}: write one of them`);
  }
  const known = [...unique.values()];
  throw new VerbError(
    `${quoted} is not an upstream; ${
      known.length === 0 ? "there is none" : `there is ${listed(known)}`
    }`,
    404,
  );
}

function isAt({ address, port, transport, serverName }: ServerAddress, text: string): boolean {
  const written = endpointOf(text, transport);
  return written !== null && written.isAddress && sameHost(written.host, address) &&
    (written.port ?? port) === port &&
    (written.serverName === "" || written.serverName === serverName);
}

function endpointOf(text: string, transport: ServerTransport): WrittenEndpoint | null {
  try {
    return parseEndpoint(text, transport);
  } catch {
    return null;
  }
}

function sameHost(one: string, other: string): boolean {
  const [address, scope] = one.split("%");
  const [otherAddress, otherScope] = other.split("%");
  const bytes = parseAddress(address!);
  return scope === otherScope && bytes !== null &&
    bytes.toString() === parseAddress(otherAddress!)?.toString();
}

function listed(servers: readonly ServerAddress[]): string {
  const more = servers.length - MAX_NAMED;
  const named = servers.slice(0, MAX_NAMED).map(labelOf).join(", ");
  return `${named}${more > 0 ? ` and ${more} more` : ""}`;
}
