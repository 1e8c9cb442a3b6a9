import { MAX_NAME_SIZE } from "../constants.ts";
import { lower } from "./name_reader.ts";

/*
 * Comparing names of a message that a `ResponseScanner` has found good, without its memo: for a few
 * names at a time. Steps are bounded all the same.
 */

/**
 * Whether two names of the message that starts at `start` of `bytes` are equal, whatever their case.
 *
 * @param a - offset in `bytes`, as `b`
 */
export function isSameName(bytes: Uint8Array, start: number, a: number, b: number): boolean {
  let left = a;
  let right = b;
  for (let steps = 0; steps < MAX_NAME_SIZE; steps++) {
    left = resolve(bytes, start, left);
    right = resolve(bytes, start, right);
    // Compressed names that end alike end at the same place.
    if (left === right) return true;
    const size = bytes[left]!;
    if (size !== bytes[right]) return false;
    if (size === 0) return true;
    for (let i = 1; i <= size; i++) {
      if (lower(bytes[left + i]!) !== lower(bytes[right + i]!)) return false;
    }
    left += size + 1;
    right += size + 1;
  }
  return false;
}

/** Whether a name is that of the zone or lies below it. */
export function isWithin(bytes: Uint8Array, start: number, name: number, zone: number): boolean {
  let label = name;
  for (
    let above = countLabels(bytes, start, name) - countLabels(bytes, start, zone);
    above > 0;
    above--
  ) {
    label = resolve(bytes, start, label);
    label += bytes[label]! + 1;
  }
  return isSameName(bytes, start, label, zone);
}

function countLabels(bytes: Uint8Array, start: number, name: number): number {
  let label = resolve(bytes, start, name);
  let count = 0;
  for (; bytes[label] !== 0 && count < MAX_NAME_SIZE; count++) {
    label = resolve(bytes, start, label + bytes[label]! + 1);
  }
  return count;
}

/** Where the label lies that the pointers at `at` lead to; pointers lead backwards. */
export function resolve(bytes: Uint8Array, start: number, at: number): number {
  let label = at;
  while (bytes[label]! >= 0xc0) {
    const target = start + (((bytes[label]! & 0x3f) << 8) | bytes[label + 1]!);
    if (target >= label) return label;
    label = target;
  }
  return label;
}
