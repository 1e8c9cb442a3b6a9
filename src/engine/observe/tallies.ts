import type { SourceCounter } from "../exchange/answer_source.ts";
import { LATENCY_BUCKETS } from "./latency.ts";
import type { Tally } from "./requests.ts";
import { UNANSWERED } from "./sighting.ts";

/** The last ones: all others, and none. */
export const RCODE_TALLIES: readonly string[] = [
  ...["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"],
  ...["other", "none"],
];
const NOERROR = 0;
const OTHER = 6;
const NONE = 7;
const NXDOMAIN = 3;

const IMMEDIATE = RCODE_TALLIES.length;
const WAITED = IMMEDIATE + 1;
const SOURCES = WAITED + LATENCY_BUCKETS;
/** More than plugins. */
const MAX_SOURCES = 64;

/**
 * Counts of ended queries, now and at the last minutes' starts. Immediate NOERROR, nearly all, is
 * the rest of all queries.
 */
export class Tallies {
  readonly #now = new Float64Array(SOURCES + MAX_SOURCES);
  #minute = new Float64Array(SOURCES + MAX_SOURCES);
  #last = new Float64Array(SOURCES + MAX_SOURCES);
  readonly #values: Float64Array;
  readonly #sources: readonly SourceCounter[];
  readonly #all: { readonly count: number };

  /** `sources` may grow; `all` counts all queries. */
  constructor(
    values: Float64Array,
    sources: readonly SourceCounter[],
    all: { readonly count: number },
  ) {
    this.#values = values;
    this.#sources = sources;
    this.#all = all;
    this.#complete();
    this.#minute.set(this.#now);
    this.#last.set(this.#now);
  }

  /** Returns whether it failed. Allocates nothing. */
  count(rcode: number): boolean {
    if (rcode === NOERROR) return false;
    const tally = rcode === UNANSWERED ? NONE : rcode < OTHER ? rcode : OTHER;
    this.#now[tally]!++;
    return tally !== NXDOMAIN;
  }

  countWaited(bucket: number): void {
    this.#now[WAITED + bucket]!++;
  }

  /** @param gap - idle minutes came before */
  advance(gap: boolean): void {
    this.#complete();
    [this.#last, this.#minute] = [this.#minute, this.#last];
    this.#minute.set(this.#now);
    if (gap) this.#last.set(this.#now);
  }

  read(): { now: Tally; before: Tally } {
    this.#complete();
    return { now: this.#tallyOf(this.#now), before: this.#tallyOf(this.#last) };
  }

  #complete(): void {
    const counts = this.#now;
    const sum = (from: number, to: number) =>
      counts.subarray(from, to).reduce((all, count) => all + count, 0);
    counts[NOERROR] = this.#all.count - sum(NOERROR + 1, IMMEDIATE);
    counts[IMMEDIATE] = this.#all.count - sum(WAITED, SOURCES);
    this.#sources.slice(0, MAX_SOURCES).forEach(({ index }, i) => {
      this.#now[SOURCES + i] = this.#values[index]!;
    });
  }

  #tallyOf(counts: Float64Array): Tally {
    const sources = this.#sources.slice(0, MAX_SOURCES)
      .map(({ source }, i) => [source, counts[SOURCES + i]!] as const);
    return {
      rcodes: Array.from(counts.subarray(0, IMMEDIATE)),
      immediate: counts[IMMEDIATE]!,
      waited: Array.from(counts.subarray(WAITED, SOURCES)),
      sources: Object.fromEntries(sources),
    };
  }
}
