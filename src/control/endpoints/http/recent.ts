/**
 * Something that is made at most once in a while: whoever asks meanwhile gets the same as those
 * before, so that a flood of requests costs no more than one.
 */
export class Recent<T> {
  readonly #forMs: number;
  readonly #make: () => Promise<T>;
  #made: Promise<T> | null = null;
  #madeMs = -Infinity;

  /** @param forMs - how old it may get, counted from when it was begun */
  constructor(forMs: number, make: () => Promise<T>) {
    this.#forMs = forMs;
    this.#make = make;
  }

  /** The last one, or a new one if that is too old. */
  get(nowMs = performance.now()): Promise<T> {
    if (this.#made !== null && nowMs - this.#madeMs < this.#forMs) return this.#made;
    this.#madeMs = nowMs;
    return this.#made = this.#make();
  }

  /** The next one is new: what it is made of has changed. */
  drop(): void {
    this.#made = null;
  }
}
