import { parseAddress } from "./address.ts";
import { formatName, parseName } from "./name.ts";

/** Lower-cases; adds the final dot. Throws if invalid. */
export function normalizeZone(text: string): string {
  // Other octets are escaped, so only ASCII letters change.
  return formatName(parseName(text)).toLowerCase();
}

/** Names are normalized. */
export function isWithin(name: string, zone: string): boolean {
  return zone === "." || name === zone || name.endsWith(`.${zone}`);
}

/** `10.0.0.0/23` has 10.0.0 and 10.0.1. Throws if invalid. */
export function expandZone(text: string): string[] {
  const cidr = /^([0-9a-fA-F.:]+)\/([0-9]+)$/.exec(text);
  if (cidr === null) return [normalizeZone(text)];
  const bytes = parseAddress(cidr[1]!);
  if (bytes === null || Number(cidr[2]) > bytes.length * 8) {
    const example = text.includes(":") ? "2001:db8::/32" : "10.0.0.0/24";
    throw new RangeError(`${JSON.stringify(text)} is not a network (write it like ${example})`);
  }
  return reverseZones(bytes, Number(cidr[2]));
}

/** RFC 1035 section 3.5, RFC 3596 section 2.5. */
function reverseZones(bytes: Uint8Array, prefix: number): string[] {
  const v4 = bytes.length === 4;
  const step = v4 ? 8 : 4;
  const digits = v4 ? [...bytes] : [...bytes].flatMap((octet) => [octet >> 4, octet & 15]);
  const suffix = v4 ? "in-addr.arpa." : "ip6.arpa.";
  const name = (labels: number[]) =>
    labels.toReversed().map((label) => label.toString(v4 ? 10 : 16) + ".").join("") + suffix;
  const whole = Math.floor(prefix / step);
  const rest = prefix % step;
  const base = digits.slice(0, whole);
  if (rest === 0) return [name(base)];
  const count = 1 << (step - rest);
  const first = digits[whole]! & ~(count - 1);
  return Array.from({ length: count }, (_, i) => name([...base, first + i]));
}
