/** Samples a second: at 2 µs each, 0.2 % of a core. */
export const SAMPLES_PER_SECOND = 1000;

/** Enough for a billion queries a second; keeps gaps small integers. */
const MAX_WEIGHT = 2 ** 20;

/**
 * Chooses about a thousand queries a second. Gaps are random, because clients repeat themselves and
 * each fifth query may always be the same one.
 */
export class Sampler {
  #weight = 1;
  #left = 1;
  #taken = 0;
  #seen = 0;
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

  /**
   * Number of queries that this one stands for; 0: it is not chosen. Takes no time as an argument: a
   * double that is passed on may be allocated.
   */
  take(): number {
    if (--this.#left > 0) return 0;
    const weight = this.#weight;
    this.#seen += weight;
    // A burst begins within a second.
    if (++this.#taken >= SAMPLES_PER_SECOND && weight < MAX_WEIGHT) {
      this.#taken = SAMPLES_PER_SECOND >> 1;
      this.#weight = 2 * weight;
    }
    this.#left = this.#gap();
    return weight;
  }

  /** Adapts to the queries since the last call, a second ago or longer. */
  adapt(seconds: number): void {
    const perSecond = this.#seen / seconds;
    const weight = Math.min(MAX_WEIGHT, Math.ceil(perSecond / SAMPLES_PER_SECOND));
    this.#weight = Math.max(1, weight);
    this.#seen = 0;
    this.#taken = 0;
    this.#left = Math.min(this.#left, this.#gap());
  }

  /** From 1 to twice the weight less one, so that the mean is the weight. */
  #gap(): number {
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
