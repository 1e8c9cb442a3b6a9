/** Samples a second: at 0.6 µs each, less than 0.1 % of a core. */
export const SAMPLES_PER_SECOND = 1000;

/** Enough for a billion queries a second; keeps gaps small integers. */
const MAX_WEIGHT = 2 ** 20;

/**
 * Chooses about a thousand queries a second. Gaps are random, because clients repeat themselves and
 * each fifth query may always be the same one.
 */
export class Sampler {
  #weight = 1;
  /** Queries until the next one is chosen, and how many there were when that began. */
  #left = 1;
  #gap = 1;
  /** Queries before this gap, and when the weight was last adapted. */
  #before = 0;
  #adaptedAt = 0;
  #taken = 0;
  /** A signed 32-bit number, for which a field might allocate. */
  readonly #random = new Int32Array(1);

  /** @param seed - a random 32-bit number */
  constructor(seed: number) {
    this.#random[0] = seed | 1;
  }

  /** One query of so many is chosen. */
  get every(): number {
    return this.#weight;
  }

  /** All queries until now. */
  get count(): number {
    return this.#before + this.#gap - this.#left;
  }

  /** Whether there was no query since the weight was last adapted. */
  get isIdle(): boolean {
    return this.count === this.#adaptedAt;
  }

  /** Whether the next query is not chosen. */
  get passes(): boolean {
    return this.#left > 1;
  }

  /** Counts a query that is not chosen, if `passes`. */
  pass(): void {
    this.#left--;
  }

  /**
   * Number of queries that this one stands for; 0: it is not chosen. Takes no time as an argument: a
   * double that is passed on may be allocated.
   */
  take(): number {
    if (--this.#left > 0) return 0;
    const weight = this.#weight;
    // A burst begins within a second.
    if (++this.#taken >= SAMPLES_PER_SECOND && weight < MAX_WEIGHT) {
      this.#taken = SAMPLES_PER_SECOND >> 1;
      this.#weight = 2 * weight;
    }
    this.#begin(this.#drawGap());
    return weight;
  }

  /** Adapts to the queries since the last call, a second ago or longer. */
  adapt(seconds: number): void {
    const { count } = this;
    const perSecond = (count - this.#adaptedAt) / seconds;
    const weight = Math.min(MAX_WEIGHT, Math.ceil(perSecond / SAMPLES_PER_SECOND));
    this.#weight = Math.max(1, weight);
    this.#adaptedAt = count;
    this.#taken = 0;
    this.#begin(Math.min(this.#left, this.#drawGap()));
  }

  #begin(gap: number): void {
    this.#before = this.count;
    this.#gap = this.#left = gap;
  }

  /** From 1 to twice the weight less one, so that the mean is the weight. */
  #drawGap(): number {
    const weight = this.#weight;
    if (weight === 1) return 1;
    let x = this.#random[0]!;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random[0] = x;
    return 1 + (x & 0x3fffffff) % (2 * weight - 1);
  }
}
