import { HEADER_SIZE } from "../../dns/constants.ts";
import type { Question } from "./question.ts";

/** Case folding (RFC 4343), four octets at a time. Length octets (at most 63) are below `A`. */

/** 0x20 in each octet with an upper-case letter. */
export function upperMask(word: number): number {
  const low = word & 0x7f7f7f7f;
  const fromA = low + 0x3f3f3f3f;
  const beyondZ = low + 0x25252525;
  return ((fromA ^ beyondZ) & ~word & 0x80808080) >>> 2;
}

/** Copies a name, lower-cased. */
export function copyFolded(
  from: Uint8Array,
  fromAt: number,
  to: Uint8Array,
  toAt: number,
  length: number,
): void {
  for (let i = 0; i < length; i++) {
    const octet = from[fromAt + i]!;
    to[toAt + i] = octet | upperMask(octet);
  }
}

/** Compares names of equal length, ignoring case. */
export function sameName(
  a: Uint8Array,
  aAt: number,
  b: Uint8Array,
  bAt: number,
  length: number,
): boolean {
  for (let i = 0; i < length; i++) {
    const x = a[aAt + i]!;
    const y = b[bAt + i]!;
    if (x !== y && (x | upperMask(x)) !== (y | upperMask(y))) return false;
  }
  return true;
}

/** Whether a question asks for a wire-form name. */
export function isQname({ memory, offset, qnameLength }: Question, name: Uint8Array): boolean {
  return qnameLength === name.length &&
    sameName(memory.bytes, offset + HEADER_SIZE, name, 0, name.length);
}
