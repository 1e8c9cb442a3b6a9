import { HEADER_SIZE } from "../../dns/constants.ts";
import { parseName } from "../../dns/name.ts";
import { sameName } from "./fold.ts";
import type { Question } from "./question.ts";

interface Zone<T> {
  readonly name: Uint8Array;
  readonly labelCount: number;
  readonly value: T;
}

/** Finds a qname's longest zone. */
export class ZoneTable<T> {
  /** Longest first. */
  readonly #zones: readonly Zone<T>[];

  constructor(zones: Iterable<readonly [zone: string, value: T]>) {
    this.#zones = [...zones].map(([zone, value]) => {
      const name = parseName(zone.toLowerCase());
      return { name, labelCount: countLabels(name), value };
    }).sort((a, b) => b.labelCount - a.labelCount);
  }

  match(question: Question): T | null {
    for (const zone of this.#zones) if (isBelow(question, zone)) return zone.value;
    return null;
  }

  /** Shortest zone except the root (for DS queries). */
  matchParent(question: Question): T | null {
    let found: T | null = null;
    for (const zone of this.#zones) {
      if ((zone.labelCount > 0 || found === null) && isBelow(question, zone)) found = zone.value;
    }
    return found;
  }
}

function isBelow(question: Question, { name, labelCount }: Zone<unknown>): boolean {
  let skip = question.labelCount - labelCount;
  if (skip < 0) return false;
  if (labelCount === 0) return true;
  const { bytes } = question.memory;
  const nameAt = question.offset + HEADER_SIZE;
  let at = nameAt;
  for (; skip > 0; skip--) at += bytes[at]! + 1;
  return nameAt + question.qnameLength - at === name.length &&
    sameName(bytes, at, name, 0, name.length);
}

function countLabels(name: Uint8Array): number {
  let count = 0;
  for (let at = 0; name[at] !== 0; at += name[at]! + 1) count++;
  return count;
}
