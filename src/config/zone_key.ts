import { parseAddress } from "../dns/address.ts";
import { parseName } from "../dns/name.ts";

/** One zone and port out of a server block's key. */
export interface ZoneKey {
  /** Normalised: lower case, closing dot. */
  zone: string;
  port: number;
}

const SCHEMES = ["dns", "tls", "https", "https3", "grpc", "quic"];

/**
 * Reads a server block's key: `example.org`, `example.org:1053`, `:1053`, `dns://.`,
 * `10.0.0.0/24`. A network that is no whole number of octets stands for several reverse zones.
 *
 * Throws an error that says what is wrong with it.
 */
export function parseZoneKey(key: string, defaultPort: number): ZoneKey[] {
  let rest = key;
  const scheme = /^([a-zA-Z0-9]+):\/\/(.*)$/.exec(key);
  if (scheme !== null) {
    const name = scheme[1]!.toLowerCase();
    if (!SCHEMES.includes(name)) {
      throw new SyntaxError(`unknown scheme "${scheme[1]}" in "${key}" (write dns:// or none)`);
    }
    if (name !== "dns") {
      throw new SyntaxError(
        `${name}:// listeners are not supported (serve plain DNS: dns:// or none)`,
      );
    }
    rest = scheme[2]!;
  }
  let port = defaultPort;
  const withPort = /^(.*):([^:]*)$/.exec(rest);
  if (withPort !== null && (!withPort[1]!.includes(":") || withPort[1]!.includes("/"))) {
    if (!/^[0-9]+$/.test(withPort[2]!) || Number(withPort[2]) > 65535 || Number(withPort[2]) < 1) {
      throw new RangeError(`"${withPort[2]}" in "${key}" is no port (1 to 65535)`);
    }
    port = Number(withPort[2]);
    rest = withPort[1]!;
  }
  if (rest === "") rest = ".";
  return expandZone(rest).map((zone) => ({ zone, port }));
}

/** The zones that a name or a network in CIDR notation stands for, normalised. */
export function expandZone(text: string): string[] {
  const cidr = /^([0-9a-fA-F.:]+)\/([0-9]+)$/.exec(text);
  const bytes = cidr === null ? null : parseAddress(cidr[1]!);
  return bytes === null ? [normalizeZone(text)] : reverseZones(bytes, Number(cidr![2]), text);
}

/** A name in lower case with its closing dot. Throws where it is none. */
export function normalizeZone(text: string): string {
  parseName(text);
  const lower = text.toLowerCase();
  return lower.endsWith(".") ? lower : `${lower}.`;
}

function reverseZones(bytes: Uint8Array, prefix: number, text: string): string[] {
  const v4 = bytes.length === 4;
  if (prefix > bytes.length * 8) {
    throw new RangeError(`"${text}" has too long a prefix (at most ${bytes.length * 8})`);
  }
  // One label of the reverse zone stands for eight bits of IPv4 and four of IPv6.
  const step = v4 ? 8 : 4;
  const digits = v4 ? [...bytes] : [...bytes].flatMap((octet) => [octet >> 4, octet & 15]);
  const whole = Math.floor(prefix / step);
  const rest = prefix % step;
  const base = digits.slice(0, whole);
  const suffix = v4 ? "in-addr.arpa." : "ip6.arpa.";
  const name = (labels: number[]) =>
    [...labels].reverse().map((label) => label.toString(v4 ? 10 : 16) + ".").join("") + suffix;
  if (rest === 0) return [name(base)];
  const count = 1 << (step - rest);
  const first = digits[whole]! & ~(count - 1);
  return Array.from({ length: count }, (_, i) => name([...base, first + i]));
}
