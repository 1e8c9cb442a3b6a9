import type { Memory } from "../../engine/memory.ts";

/** EDNS forms of a query, fullest first. */
export const FORM = {
  /** Cookie, client subnet, padding. */
  OPTIONS: 0,
  EDNS: 1,
  PLAIN: 2,
} as const;

/** Without options (RFC 6891 section 6.1.2). */
export const OPT_SIZE = 11;

/** Offset of an option's data in a complete OPT record, or -1; `optAt` is -1 for none. */
export function findOption({ view }: Memory, optAt: number, code: number): number {
  if (optAt < 0) return -1;
  let at = optAt + OPT_SIZE;
  const end = at + view.getUint16(optAt + 9);
  while (at + 4 <= end) {
    const length = view.getUint16(at + 2);
    if (at + 4 + length > end) return -1;
    if (view.getUint16(at) === code) return at + 4;
    at += 4 + length;
  }
  return -1;
}
