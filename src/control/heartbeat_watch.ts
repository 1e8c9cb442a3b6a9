import { COUNTER } from "../engine/counters.ts";

/** A loop that has not come round for this long is taken for dead; it should every second. */
const HANG_MS = 5000;
/**
 * A thread that does not serve after this long is taken for dead. It loads its modules first: 0.14 s
 * with nothing cached, and many times that on a machine that is short of CPU time.
 */
const START_MS = 30_000;
/** Time between two looks. */
export const CHECK_MS = 1000;

/** Notices when a data plane's thread does not start or hangs. Times are monotonic milliseconds. */
export class HeartbeatWatch {
  readonly #values: Float64Array;
  /** The thread has said that it serves. */
  #ready = false;
  #beat = 0;
  /** When the beat was last seen to change, or the thread to start or to be ready. */
  #beatMs = 0;
  #checkedMs = 0;

  /** @param values - the data plane's counters */
  constructor(values: Float64Array) {
    this.#values = values;
  }

  /** A thread is started. */
  begin(nowMs: number): void {
    this.#ready = false;
    this.#see(nowMs);
    this.#checkedMs = nowMs;
  }

  /** The thread serves: its loop must come round from now on. */
  ready(nowMs: number): void {
    this.#ready = true;
    this.#see(nowMs);
  }

  /** Looks once every `CHECK_MS`. Returns why the thread is taken for dead, or null. */
  check(nowMs: number): string | null {
    // Where this thread itself was held up (a suspended machine), the other one was too.
    const late = nowMs - this.#checkedMs > 2 * CHECK_MS;
    this.#checkedMs = nowMs;
    if (late || this.#values[COUNTER.HEARTBEAT] !== this.#beat) this.#see(nowMs);
    if (nowMs - this.#beatMs <= (this.#ready ? HANG_MS : START_MS)) return null;
    return this.#ready
      ? `the data plane has not answered for ${HANG_MS / 1000} s`
      : `the data plane has not started within ${START_MS / 1000} s`;
  }

  /** Time since the loop was last seen to come round. */
  ageMs(nowMs: number): number {
    return this.#values[COUNTER.HEARTBEAT] === this.#beat ? nowMs - this.#beatMs : 0;
  }

  #see(nowMs: number): void {
    this.#beat = this.#values[COUNTER.HEARTBEAT]!;
    this.#beatMs = nowMs;
  }
}
