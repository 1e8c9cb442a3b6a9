import type { Exchange } from "../../../engine/exchange/exchange.ts";
import type { EntryFilter } from "./entry_filter.ts";

/** Queries wait for seconds; beyond, no answers are stored. */
const MAX_REMEMBERED = 16;

/**
 * A query remembers the flushes before it passed the cache; its answer is not stored if a later one
 * meant its name.
 */
export class Flushes {
  generation = 0;
  readonly #last: EntryFilter[] = [];

  add(filter: EntryFilter): void {
    this.generation++;
    if (this.#last.push(filter) > MAX_REMEMBERED) this.#last.shift();
  }

  /** The answer was asked for before the flush. */
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
