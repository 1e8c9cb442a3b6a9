import type { Clock } from "../base/clock.ts";
import { BeatAge } from "../io/beat_age.ts";

const HANG_MS = 5000;
/** Loading the modules takes 0.14 s, and many times that on a machine short of CPU time. */
const START_MS = 30_000;
/** Milliseconds between two checks. */
export const CHECK_MS = 1000;

/**
 * Detects a thread that does not start or hangs, by a counter that it increments; delays of this
 * thread are not held against it (`BeatAge`).
 */
export class ThreadWatch {
  readonly #clock: Clock;
  readonly #age: BeatAge;
  #started = false;

  /** @param place - index of the counter in `values`; default: a data plane's heartbeat */
  constructor(values: Float64Array, clock: Clock, place?: number) {
    this.#clock = clock;
    this.#age = new BeatAge(values, clock.now(), place);
  }

  /** Call it when a thread is started, and again when it has started and has to beat. */
  begin(started: boolean): void {
    this.#started = started;
    this.#age.begin(this.#clock.now());
  }

  /** Call it every `CHECK_MS`. Returns what is wrong with the thread, or null. */
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
