/**
 * Layout of a client subnet (RFC 7871 section 6):
 *
 * ```
 *  0   family   u16: 1 IPv4, 2 IPv6
 *  2   source   u8, prefix length of the client
 *  3   scope    u8, prefix length of the answer; 0 in queries
 *  4   address  octets for the source prefix, zero-padded
 * ```
 */
export const SUBNET = { FAMILY: 0, SOURCE: 2, SCOPE: 3, ADDRESS: 4 } as const;

/** A whole IPv6 address. */
export const MAX_SUBNET_SIZE = 20;

/** Longest prefix, or -1. */
export function longestPrefix(family: number): number {
  return family === 1 ? 32 : family === 2 ? 128 : -1;
}

/** Data size for a prefix length. */
export function subnetSize(prefix: number): number {
  return SUBNET.ADDRESS + ((prefix + 7) >>> 3);
}

/** Whether option data is valid in a query. */
export function isSubnet(bytes: Uint8Array, at: number, size: number): boolean {
  if (size < SUBNET.ADDRESS) return false;
  const prefix = bytes[at + SUBNET.SOURCE]!;
  const rest = prefix & 7;
  return prefix <= longestPrefix(familyAt(bytes, at)) && bytes[at + SUBNET.SCOPE] === 0 &&
    size === subnetSize(prefix) && (rest === 0 || (bytes[at + size - 1]! & (0xff >>> rest)) === 0);
}

/** Address family of a subnet. */
export function familyAt(bytes: Uint8Array, at: number): number {
  return (bytes[at + SUBNET.FAMILY]! << 8) | bytes[at + SUBNET.FAMILY + 1]!;
}

/** Families and first `prefix` bits match. */
export function sameNetwork(
  one: Uint8Array,
  oneAt: number,
  other: Uint8Array,
  otherAt: number,
  prefix: number,
): boolean {
  if (familyAt(one, oneAt) !== familyAt(other, otherAt)) return false;
  const a = oneAt + SUBNET.ADDRESS;
  const b = otherAt + SUBNET.ADDRESS;
  const whole = prefix >>> 3;
  for (let i = 0; i < whole; i++) if (one[a + i] !== other[b + i]) return false;
  const rest = prefix & 7;
  return rest === 0 || ((one[a + whole]! ^ other[b + whole]!) & (0xff00 >> rest) & 0xff) === 0;
}

/** Shortened to `prefix`; returns the size. */
export function writeNetwork(
  from: Uint8Array,
  fromAt: number,
  prefix: number,
  to: Uint8Array,
  toAt: number,
): number {
  const size = subnetSize(prefix);
  for (let i = 0; i < size; i++) to[toAt + i] = from[fromAt + i]!;
  to[toAt + SUBNET.SOURCE] = prefix;
  to[toAt + SUBNET.SCOPE] = 0;
  const rest = prefix & 7;
  if (rest !== 0) to[toAt + size - 1]! &= 0xff00 >> rest;
  return size;
}
