import { BeatAge } from "../../io/beat_age.ts";

/** A loop that has not come round for this long is taken for dead; it should every second. */
const HANG_MS = 5000;
/**
 * A thread that does not serve after this long is taken for dead. It loads its modules first: 0.14 s
 * with nothing cached, and many times that on a machine that is short of CPU time.
 */
const START_MS = 30_000;
/** Time between two looks. */
export const CHECK_MS = 1000;

/**
 * Notices when a data plane's thread does not start or hangs. A control plane that was itself held up
 * takes nobody for dead. Times are monotonic milliseconds.
 */
export class HeartbeatWatch {
  readonly #age: BeatAge;
  /** The thread has said that it serves. */
  #ready = false;

  /** @param values - the data plane's counters */
  constructor(values: Float64Array) {
    this.#age = new BeatAge(values, 0);
  }

  /** A thread is started. */
  begin(nowMs: number): void {
    this.#ready = false;
    this.#age.begin(nowMs);
  }

  /** The thread serves: its loop must come round from now on. */
  ready(nowMs: number): void {
    this.#ready = true;
    this.#age.begin(nowMs);
  }

  /** Looks once every `CHECK_MS`. Returns why the thread is taken for dead, or null. */
  check(nowMs: number): string | null {
    if (this.ageMs(nowMs) <= (this.#ready ? HANG_MS : START_MS)) return null;
    return this.#ready
      ? `the data plane has not answered for ${HANG_MS / 1000} s`
      : `the data plane has not started within ${START_MS / 1000} s`;
  }

  /** Time since the loop was last seen to come round. */
  ageMs(nowMs: number): number {
    return this.#age.look(nowMs);
  }
}
