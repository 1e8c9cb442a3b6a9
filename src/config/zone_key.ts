import { didYouMean } from "../corefile/nearest.ts";
import { quote } from "../corefile/quote.ts";
import { expandZone } from "../dns/zone.ts";

/** Zone and port from a server block's key. */
export interface ZoneKey {
  zone: string;
  port: number;
}

/** CoreDNS's schemes; only the first is supported. */
const SCHEMES = ["dns", "tls", "https", "https3", "grpc", "quic"];

/** Parses `example.org:1053`, `dns://.` or `10.0.0.0/24`. Throws `SyntaxError` or `RangeError`. */
export function parseZoneKey(key: string, defaultPort: number): ZoneKey[] {
  const [, scheme = "dns", rest = ""] = /^(?:([a-zA-Z0-9]+):\/\/)?(.*)$/s.exec(key)!;
  checkScheme(scheme, key);
  const parts = /^(.*):([^:/]*)$/s.exec(rest);
  const [, before = "", digits = ""] = parts ?? [];
  // After IPv6, a port requires a prefix length.
  const hasPort = parts !== null && (!before.includes(":") || before.includes("/"));
  if (hasPort && !(/^[0-9]+$/.test(digits) && Number(digits) >= 1 && Number(digits) <= 65535)) {
    throw new RangeError(`${quote(digits)} in ${quote(key)} is not a port number (1 to 65535)`);
  }
  const zone = (hasPort ? before : rest) || ".";
  if (zone.includes(":") && !zone.includes("/")) {
    const remedy = "a colon precedes only a port; a network is 2001:db8::/32";
    throw new SyntaxError(`${quote(key)} is not a zone (${remedy})`);
  }
  const port = hasPort ? Number(digits) : defaultPort;
  return expandZone(zone).map((zone) => ({ zone, port }));
}

function checkScheme(scheme: string, key: string): void {
  const name = scheme.toLowerCase();
  if (!SCHEMES.includes(name)) {
    const hint = didYouMean(name, SCHEMES) || " (write dns:// or none)";
    throw new SyntaxError(`unknown scheme "${scheme}" in ${quote(key)}${hint}`);
  }
  if (name !== SCHEMES[0]) {
    const what = `${name}:// listeners are not supported yet`;
    throw new SyntaxError(`${quote(key)}: ${what} (only plain DNS is: dns:// or none)`);
  }
}
