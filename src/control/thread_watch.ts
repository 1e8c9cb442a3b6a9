import type { Clock } from "../base/clock.ts";
import { BeatAge } from "../io/beat_age.ts";

const HANG_MS = 5000;
/** Normally 0.14 s; longer without CPU time. */
const START_MS = 30_000;
/** Interval of checks. */
export const CHECK_MS = 1000;

/** Detects threads that hang or do not start (`BeatAge`). */
export class ThreadWatch {
  readonly #clock: Clock;
  readonly #age: BeatAge;
  #started = false;

  constructor(values: Float64Array, clock: Clock, index?: number) {
    this.#clock = clock;
    this.#age = new BeatAge(values, clock.now(), index);
  }

  /** Call it at creation, and when it should beat. */
  begin(started: boolean): void {
    this.#started = started;
    this.#age.begin(this.#clock.now());
  }

  check(): string | null {
    if (this.ageMs <= (this.#started ? HANG_MS : START_MS)) return null;
    return this.#started
      ? `has not answered for ${HANG_MS / 1000} s`
      : `has not started within ${START_MS / 1000} s`;
  }

  get ageMs(): number {
    return this.#age.look(this.#clock.now());
  }
}
