import { MAX_NAME_SIZE } from "../constants.ts";

/** Bounds octets read for names. */
export interface ReadCount {
  octetsRead: number;
  readonly exhausted: boolean;
}

/** Lower-cases ASCII (RFC 4343 section 3). */
export function lower(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet;
}

/** Target of the pointer at `at`. */
export function pointerAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! & 0x3f) << 8) | bytes[at + 1]!;
}

/** The end, or -1. */
export function skipPlainName(bytes: Uint8Array, at: number, end: number): number {
  const nameEnd = Math.min(end, at + MAX_NAME_SIZE);
  for (let label = at; label < nameEnd;) {
    const size = bytes[label]!;
    if (size > 63) return -1;
    label += size + 1;
    if (size === 0) return label;
  }
  return -1;
}

/** Up to its pointer, which may end one octet beyond `end`; or -1. */
export function passName(bytes: Uint8Array, at: number, end: number): number {
  for (let label = at; label < end;) {
    const size = bytes[label]!;
    if (size >= 0xc0) return label + 2;
    if (size > 63) return -1;
    label += size + 1;
    if (size === 0) return label;
  }
  return -1;
}

/** First label of a well-formed name. */
export function resolveName(
  bytes: Uint8Array,
  start: number,
  at: number,
  count?: ReadCount,
): number {
  let label = at;
  while (bytes[label]! >= 0xc0) {
    if (count !== undefined) count.octetsRead += 2;
    const target = start + pointerAt(bytes, label);
    if (target >= label) return label;
    label = target;
  }
  return label;
}

/** Ignores case; false if `count` is exhausted. */
export function isSameName(
  bytes: Uint8Array,
  start: number,
  a: number,
  b: number,
  count?: ReadCount,
): boolean {
  let left = a;
  let right = b;
  for (let labels = 0; labels < MAX_NAME_SIZE; labels++) {
    if (count?.exhausted) return false;
    left = resolveName(bytes, start, left, count);
    right = resolveName(bytes, start, right, count);
    if (left === right) return true;
    const size = bytes[left]!;
    if (size !== bytes[right]) return false;
    if (size === 0) return true;
    let i = 1;
    while (i <= size && lower(bytes[left + i]!) === lower(bytes[right + i]!)) i++;
    if (count !== undefined) count.octetsRead += 2 * i;
    if (i <= size) return false;
    left += size + 1;
    right += size + 1;
  }
  return false;
}

/** At `zone` or below. */
export function isWithin(bytes: Uint8Array, start: number, name: number, zone: number): boolean {
  let label = name;
  let above = countLabels(bytes, start, name) - countLabels(bytes, start, zone);
  for (; above > 0; above--) {
    label = resolveName(bytes, start, label);
    label += bytes[label]! + 1;
  }
  return isSameName(bytes, start, label, zone);
}

function countLabels(bytes: Uint8Array, start: number, name: number): number {
  let label = resolveName(bytes, start, name);
  let count = 0;
  for (; bytes[label] !== 0 && count < MAX_NAME_SIZE; count++) {
    label = resolveName(bytes, start, label + bytes[label]! + 1);
  }
  return count;
}

/** Also the name's end. Null if malformed: pointers lead backwards (RFC 1035 section 4.1.4). */
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
