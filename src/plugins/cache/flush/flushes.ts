import type { Exchange } from "../../../engine/exchange/exchange.ts";
import type { EntryFilter } from "./entry_filter.ts";

/** Queries wait for seconds at most: before those, answers of any name are not stored. */
const MAX_REMEMBERED = 16;

/**
 * The last flushes. A query remembers the generation in which it passed the cache; its answer is not
 * stored if a later flush meant its name.
 */
export class Flushes {
  generation = 0;
  readonly #last: EntryFilter[] = [];

  add(filter: EntryFilter): void {
    this.generation++;
    if (this.#last.push(filter) > MAX_REMEMBERED) this.#last.shift();
  }

  /** Whether an answer was asked for before it was flushed. */
  concern(exchange: Exchange): boolean {
    const missed = this.generation - exchange.generation;
    if (missed === 0) return false;
    if (missed < 0 || missed > this.#last.length) return true;
    for (let i = this.#last.length - missed; i < this.#last.length; i++) {
      if (this.#last[i]!.matches(exchange)) return true;
    }
    return false;
  }
}
