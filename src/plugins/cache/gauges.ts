import type { CacheContent } from "./content.ts";
import type { AllCacheCounters } from "./counters.ts";

/** Publishes sizes and evictions of a cache's content. */
export class CacheGauges {
  readonly #content: CacheContent;
  readonly #counters: AllCacheCounters;
  readonly #values: Float64Array;
  /** Evictions that have been counted. */
  #evictedSuccess: number;
  #evictedDenial: number;
  /** Its chain is retired: the sizes belong to the handler that has the content now. */
  #retired = false;
  /** The gauges of that handler. */
  #successor: CacheGauges | null = null;

  constructor(content: CacheContent, counters: AllCacheCounters, values: Float64Array) {
    this.#content = content;
    this.#counters = counters;
    this.#values = values;
    this.#evictedSuccess = content.success.evictions;
    this.#evictedDenial = content.denial.evictions + content.failures.evictions;
  }

  /** Publishes sizes; charges evictions since the last call to `listener`. */
  publish(listener = -1): void {
    const counters = this.#counters;
    const values = this.#values;
    const { memory, success, denial, failures } = this.#content;
    if (!this.#retired) {
      const { each } = counters;
      for (let i = 0; i < each.length; i++) {
        values[each[i]!.entriesSuccess] = success.size;
        values[each[i]!.entriesDenial] = denial.size + failures.size;
      }
      values[counters.arenaBytes] = memory.arena.sizeBytes;
      values[counters.bytes] = memory.sizeBytes;
    }
    const own = counters.of(listener);
    const denials = denial.evictions + failures.evictions;
    values[own.evictionsSuccess]! += success.evictions - this.#evictedSuccess;
    values[own.evictionsDenial]! += denials - this.#evictedDenial;
    this.#evictedSuccess = success.evictions;
    this.#evictedDenial = denials;
    this.#successor?.publish();
  }

  /** Publishes no more sizes; `successor`, if there is one, does so for the same content. */
  retire(successor: CacheGauges | null = null): void {
    if (successor !== null) this.#successor = successor;
    if (this.#retired) return;
    this.#retired = true;
    const values = this.#values;
    for (const { entriesSuccess, entriesDenial } of this.#counters.each) {
      values[entriesSuccess] = 0;
      values[entriesDenial] = 0;
    }
    values[this.#counters.arenaBytes] = 0;
    values[this.#counters.bytes] = 0;
  }
}
