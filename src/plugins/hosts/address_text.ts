/** Longest text of an address: `ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255`. */
export const MAX_ADDRESS_TEXT = 45;

const COLON = 0x3a;
const DOT = 0x2e;
const ZERO = 0x30;

/** Groups of an IPv6 address. */
const GROUPS = 8;

/**
 * Reads an address from its octets in presentation format into `to`, without a string for each line
 * of a file. An IPv4 address in an IPv6 one (`::ffff:192.0.2.1`) is that IPv4 address.
 *
 * @returns the size of the address, 4 or 16; 0 for text that is not an address
 */
export function readAddress(text: Uint8Array, length: number, to: Uint8Array): 0 | 4 | 16 {
  for (let i = 0; i < length; i++) {
    if (text[i] !== COLON) continue;
    if (!readIPv6(text, length, to)) return 0;
    return unmap(to) ? 4 : 16;
  }
  return readIPv4(text, 0, length, to, 0) ? 4 : 0;
}

function readIPv4(
  text: Uint8Array,
  from: number,
  length: number,
  to: Uint8Array,
  toAt: number,
): boolean {
  let at = from;
  for (let part = 0; part < 4; part++) {
    if (part > 0 && text[at++] !== DOT) return false;
    const start = at;
    let value = 0;
    while (at < length && at - start < 3 && isDigit(text[at]!)) {
      value = value * 10 + text[at++]! - ZERO;
    }
    const digits = at - start;
    // A leading zero could mean octal.
    if (digits === 0 || value > 255 || (digits > 1 && text[start] === ZERO)) return false;
    to[toAt + part] = value;
  }
  return at === length;
}

function readIPv6(text: Uint8Array, length: number, to: Uint8Array): boolean {
  let at = 0;
  let groups = 0;
  /** Groups before `::`, or -1. */
  let gapAt = -1;
  if (text[0] === COLON && text[1] !== COLON) return false;
  while (at < length) {
    if (text[at] === COLON && text[at + 1] === COLON && at + 1 < length) {
      if (gapAt >= 0) return false;
      gapAt = groups;
      at += 2;
      continue;
    }
    const start = at;
    let value = 0;
    while (at < length && at - start < 4) {
      const digit = hexDigit(text[at]!);
      if (digit < 0) break;
      value = (value << 4) | digit;
      at++;
    }
    if (at < length && text[at] === DOT) {
      if (groups > GROUPS - 2 || !readIPv4(text, start, length, to, 2 * groups)) return false;
      groups += 2;
      break;
    }
    if (at === start || groups === GROUPS) return false;
    to[2 * groups] = value >> 8;
    to[2 * groups + 1] = value & 0xff;
    groups++;
    if (at === length) break;
    if (text[at] !== COLON) return false;
    if (text[at + 1] !== COLON || at + 1 >= length) at++;
    // A lone colon at the end.
    if (at === length) return false;
  }
  if (gapAt < 0) return groups === GROUPS;
  if (groups === GROUPS) return false;
  const tail = 2 * (groups - gapAt);
  to.copyWithin(16 - tail, 2 * gapAt, 2 * gapAt + tail);
  to.fill(0, 2 * gapAt, 16 - tail);
  return true;
}

/** Moves the last four bytes to the front if the address maps an IPv4 address. */
function unmap(address: Uint8Array): boolean {
  for (let i = 0; i < 12; i++) if (address[i] !== (i > 9 ? 0xff : 0)) return false;
  address.copyWithin(0, 12, 16);
  return true;
}

function isDigit(octet: number): boolean {
  return octet >= ZERO && octet <= ZERO + 9;
}

function hexDigit(octet: number): number {
  if (isDigit(octet)) return octet - ZERO;
  const lower = octet | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}
