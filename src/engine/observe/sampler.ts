/** At 0.6 µs each, less than 0.1 % of a core. */
export const SAMPLES_PER_SECOND = 1000;

/** For a billion queries a second; keeps gaps small integers. */
const MAX_WEIGHT = 2 ** 20;

/**
 * Chooses about a thousand queries a second, with random gaps: each fifth query may always be the
 * same.
 */
export class Sampler {
  #weight = 1;
  /** Queries until the next choice, and at the gap's start. */
  #left = 1;
  #gap = 1;
  /** Queries before this gap, and at the last adaptation. */
  #before = 0;
  #adaptedAt = 0;
  #taken = 0;
  /** Signed 32 bits; a field might allocate. */
  readonly #random = new Int32Array(1);

  /** @param seed - random, 32 bits */
  constructor(seed: number) {
    this.#random[0] = seed | 1;
  }

  /** One of so many is chosen. */
  get every(): number {
    return this.#weight;
  }

  /** Queries so far. */
  get count(): number {
    return this.#before + this.#gap - this.#left;
  }

  /** No query since the last adaptation. */
  get isIdle(): boolean {
    return this.count === this.#adaptedAt;
  }

  /** The next query is not chosen. */
  get passes(): boolean {
    return this.#left > 1;
  }

  /** Counts a query if `passes`. */
  pass(): void {
    this.#left--;
  }

  /** Queries that this one stands for, or 0. Without a time: passing a double may allocate. */
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

  /** To the last `seconds`, at least one. */
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

  /** 1 to twice the weight less one: the mean is the weight. */
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
