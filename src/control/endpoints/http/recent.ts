import type { Clock } from "../../../base/clock.ts";

/** Result recomputed at most once per `forMs`. */
export class Recent<T> {
  readonly #forMs: number;
  readonly #make: () => Promise<T>;
  readonly #clock: Clock;
  #made: Promise<T> | null = null;
  #madeMs = -Infinity;

  constructor(forMs: number, make: () => Promise<T>, clock: Clock) {
    this.#forMs = forMs;
    this.#make = make;
    this.#clock = clock;
  }

  get(): Promise<T> {
    const nowMs = this.#clock.now();
    if (this.#made !== null && nowMs - this.#madeMs < this.#forMs) return this.#made;
    this.#madeMs = nowMs;
    return this.#made = this.#make();
  }

  drop(): void {
    this.#made = null;
  }
}
