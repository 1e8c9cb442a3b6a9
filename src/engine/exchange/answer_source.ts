import type { Exchange } from "./exchange.ts";

/** Counter of a source. */
export interface SourceCounter {
  readonly source: string;
  readonly index: number;
}

/** Source of an expired entry. */
export const STALE_SOURCE = "stale";
/** Source of the engine's own refusals. */
export const OWN_SOURCE = "nodens";

/**
 * "stale", "cache", "upstream" (also for its failure), another plugin's name, or "nodens".
 * Allocates nothing.
 */
export function answerSource({ stale, chain, answeredBy }: Exchange): string {
  return stale ? STALE_SOURCE : chain.sources[answeredBy + 1] ?? OWN_SOURCE;
}

/** Counters of answers by source. */
export class AnswerCounters {
  readonly list: SourceCounter[] = [];
  readonly #counter: (name: string, labels: Record<string, string>) => number;
  readonly #stale: number;
  readonly #own: number;

  constructor(counter: (name: string, labels: Record<string, string>) => number) {
    this.#counter = counter;
    this.#stale = this.indexOf(STALE_SOURCE);
    this.#own = this.indexOf(OWN_SOURCE);
  }

  /** Makes a counter, unless the source has one. */
  indexOf(source: string): number {
    const known = this.list.find((one) => one.source === source);
    if (known !== undefined) return known.index;
    const index = this.#counter("nodens_answers_total", { source });
    this.list.push({ source, index });
    return index;
  }

  /** Counter for an answer. */
  of({ stale, chain, answeredBy }: Exchange): number {
    return stale ? this.#stale : chain.answerCounters[answeredBy + 1] ?? this.#own;
  }
}
