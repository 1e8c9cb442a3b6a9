import { MAX_NAME_SIZE } from "../constants.ts";

/**
 * Expands a name of the message at `start`; also returns its end. Null if malformed; pointers lead
 * backwards (RFC 1035 section 4.1.4).
 */
export function expandName(
  bytes: Uint8Array,
  start: number,
  at: number,
): { name: Uint8Array; end: number } | null {
  const octets: number[] = [];
  let end = -1;
  let lowest = at;
  for (;;) {
    const length = bytes[at];
    if (length === undefined) return null;
    if (length >= 0xc0) {
      if (end < 0) end = at + 2;
      at = start + ((length & 0x3f) << 8 | (bytes[at + 1] ?? 0));
      if (at >= lowest) return null;
      lowest = at;
      continue;
    }
    if (length > 63 || octets.length + length + 1 > MAX_NAME_SIZE) return null;
    for (let i = 0; i <= length; i++) octets.push(bytes[at + i]!);
    at += length + 1;
    if (length === 0) return { name: Uint8Array.from(octets), end: end < 0 ? at : end };
  }
}
