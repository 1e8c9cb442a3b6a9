import { HEADER_SIZE } from "../../../dns/constants.ts";
import { parseName } from "../../../dns/name.ts";
import { sameName } from "../../../engine/question/fold.ts";
import type { Question } from "../../../engine/question/question.ts";

/** Chosen entries. */
export interface EntryChoice {
  /** Presentation format; null for all. */
  readonly name: string | null;
  /** Names below too. */
  readonly below: boolean;
  /** -1 for all. */
  readonly type: number;
}

/** Every entry. */
export const EVERYTHING: EntryChoice = { name: null, below: true, type: -1 };

/** Matches entries and queries. */
export class EntryFilter {
  readonly #name: Uint8Array | null;
  readonly #below: boolean;
  readonly #type: number;

  constructor({ name, below, type }: EntryChoice) {
    const wire = name === null ? null : parseName(name.toLowerCase());
    // The root and below is all.
    this.#name = wire !== null && below && wire.length === 1 ? null : wire;
    this.#below = below;
    this.#type = type;
  }

  get everyName(): boolean {
    return this.#name === null;
  }

  matchesType(type: number): boolean {
    return this.#type < 0 || this.#type === type;
  }

  /** @param nameAt - of a valid name */
  matchesName(bytes: Uint8Array, nameAt: number): boolean {
    const name = this.#name;
    if (name === null) return true;
    let at = nameAt;
    if (this.#below) {
      let end = nameAt;
      while (bytes[end] !== 0) end += bytes[end]! + 1;
      const suffixAt = end + 1 - name.length;
      while (at < suffixAt) at += bytes[at]! + 1;
      if (at !== suffixAt) return false;
    }
    return bytes[at] === name[0] && sameName(bytes, at, name, 0, name.length);
  }

  matches({ memory, offset, qtype }: Question): boolean {
    return this.matchesType(qtype) && this.matchesName(memory.bytes, offset + HEADER_SIZE);
  }
}
