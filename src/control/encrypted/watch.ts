import { BeatAge } from "../../io/beat_age.ts";
import { TLS_STAT } from "./stats.ts";

/** A thread that has not shown life for this long is taken for hung; it should twice a second. */
const HANG_MS = 5000;
/**
 * A thread that has not shown life at all after this long is taken for hung, as a data plane is: it
 * loads its modules first, which takes long on a machine that is short of CPU time.
 */
const START_MS = 30_000;

/** Notices when a thread for TLS does not start or hangs. Times are monotonic milliseconds. */
export class TlsWatch {
  readonly #values: Float64Array;
  readonly #first: number;
  readonly #age: BeatAge;

  /** @param values - what the thread that is started writes */
  constructor(values: Float64Array, nowMs: number) {
    this.#values = values;
    this.#first = values[TLS_STAT.BEAT]!;
    this.#age = new BeatAge(values, nowMs, TLS_STAT.BEAT);
  }

  /** Looks once a second. Returns what is wrong with the thread, or null. */
  check(nowMs: number): string | null {
    const started = this.#values[TLS_STAT.BEAT] !== this.#first;
    if (this.#age.look(nowMs) <= (started ? HANG_MS : START_MS)) return null;
    return started
      ? `has shown no life for ${HANG_MS / 1000} s`
      : `has not started within ${START_MS / 1000} s`;
  }
}
