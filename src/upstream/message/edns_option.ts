import type { Memory } from "../../engine/memory.ts";

/** Size of an OPT record without options (RFC 6891 section 6.1.2). */
export const OPT_SIZE = 11;

/**
 * Finds an option in the OPT record at `optAt`, which a scanner has found whole.
 *
 * @returns offset of the option's data, whose length stands in the two octets before; or -1
 */
export function findOption(memory: Memory, optAt: number, code: number): number {
  const { view } = memory;
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
