import { HEADER_SIZE } from "../../dns/constants.ts";
import { parseName } from "../../dns/name.ts";
import type { Question } from "./question.ts";
import { sameName } from "./fold.ts";

/** A zone in the form in which names are compared with it. */
export interface Zone<T> {
  /** Lower-case wire form. */
  readonly name: Uint8Array;
  readonly labelCount: number;
  readonly value: T;
}

/** Zones of a listener or plugin; finds the longest one that a qname lies in. */
export class ZoneTable<T> {
  /** Longest first, the root last. */
  readonly #zones: readonly Zone<T>[];

  constructor(zones: Iterable<readonly [zone: string, value: T]>) {
    this.#zones = [...zones].map(([zone, value]) => {
      const name = parseName(zone.toLowerCase());
      return { name, labelCount: countLabels(name), value };
    }).sort((a, b) => b.labelCount - a.labelCount);
  }

  /** The value of the longest zone that the question's name is in or below, or null. */
  match(question: Question): T | null {
    for (const zone of this.#zones) if (isBelow(question, zone)) return zone.value;
    return null;
  }

  /** As `match`, but the shortest zone other than the root where there is one (queries for DS). */
  matchParent(question: Question): T | null {
    let found: T | null = null;
    for (const zone of this.#zones) {
      if ((zone.labelCount > 0 || found === null) && isBelow(question, zone)) found = zone.value;
    }
    return found;
  }
}

/** Whether the question's name is the zone's name or below it, case aside. */
export function isBelow(question: Question, zone: Zone<unknown>): boolean {
  let skip = question.labelCount - zone.labelCount;
  if (skip < 0) return false;
  if (zone.labelCount === 0) return true;
  const { bytes } = question.memory;
  let at = question.offset + HEADER_SIZE;
  for (; skip > 0; skip--) at += bytes[at]! + 1;
  const { name } = zone;
  return question.offset + HEADER_SIZE + question.qnameLength - at === name.length &&
    sameName(bytes, at, name, 0, name.length);
}

function countLabels(name: Uint8Array): number {
  let count = 0;
  for (let at = 0; name[at] !== 0; at += name[at]! + 1) count++;
  return count;
}
