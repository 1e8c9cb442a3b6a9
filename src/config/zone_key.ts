import { expandZone } from "../dns/zone.ts";
import { didYouMean } from "../corefile/nearest.ts";
import { quote } from "../corefile/quote.ts";

/** One zone and port out of a server block's key. */
export interface ZoneKey {
  /** Normalised: lower case, closing dot. */
  zone: string;
  port: number;
}

/** Schemes of CoreDNS's listeners; the first is the one that is served here. */
const SCHEMES = ["dns", "tls", "https", "https3", "grpc", "quic"];
const PORT = { min: 1, max: 65535 } as const;

/**
 * Reads a server block's key: `example.org`, `example.org:1053`, `:1053`, `dns://.`,
 * `10.0.0.0/24`. A network that is not a whole number of labels stands for several reverse zones.
 *
 * Throws an error that says what is wrong with it.
 */
export function parseZoneKey(key: string, defaultPort: number): ZoneKey[] {
  const { rest, port } = splitPort(withoutScheme(key), key);
  const zone = rest === "" ? "." : rest;
  if (zone.includes(":") && !zone.includes("/")) {
    throw new SyntaxError(
      `${quote(key)} is no zone: a colon stands before a port only (of a network, 2001:db8::/32)`,
    );
  }
  return expandZone(zone).map((zone) => ({ zone, port: port ?? defaultPort }));
}

function withoutScheme(key: string): string {
  const match = /^([a-zA-Z0-9]+):\/\/(.*)$/s.exec(key);
  if (match === null) return key;
  const [, scheme, rest] = match as unknown as [string, string, string];
  const name = scheme.toLowerCase();
  if (!SCHEMES.includes(name)) {
    const hint = didYouMean(name, SCHEMES) || " (write dns:// or none)";
    throw new SyntaxError(`unknown scheme "${scheme}" in ${quote(key)}${hint}`);
  }
  if (name !== SCHEMES[0]) {
    throw new SyntaxError(
      `${
        quote(key)
      }: ${name}:// listeners are not supported yet (only plain DNS is: dns:// or none)`,
    );
  }
  return rest;
}

/** Takes off a port. What looks like one behind an IPv6 address is one only after a prefix length. */
function splitPort(text: string, key: string): { rest: string; port: number | null } {
  const match = /^(.*):([^:/]*)$/s.exec(text);
  if (match === null) return { rest: text, port: null };
  const [, rest, port] = match as unknown as [string, string, string];
  if (rest.includes(":") && !rest.includes("/")) return { rest: text, port: null };
  if (!/^[0-9]+$/.test(port) || Number(port) < PORT.min || Number(port) > PORT.max) {
    throw new RangeError(
      `${quote(port)} in ${quote(key)} is no port (a number from ${PORT.min} to ${PORT.max})`,
    );
  }
  return { rest, port: Number(port) };
}
