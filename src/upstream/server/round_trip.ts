/** How long to wait before silence is taken for a loss, in milliseconds. */
const PATIENCE = { unknown: 400, min: 100, max: 1000 } as const;
/** Weights of a new sample in the averages (RFC 6298 section 2). */
const MEAN_WEIGHT = 1 / 8;
const DEVIATION_WEIGHT = 1 / 4;

/** What is known of the time that an upstream takes to reply. */
export class RoundTrip {
  #meanMs = 0;
  #deviationMs = 0;
  #known = false;
  #sampledMs = -Infinity;

  /** Smoothed time of a reply in milliseconds; 0 as long as none has come. */
  get meanMs(): number {
    return this.#meanMs;
  }

  /** When the last sample came, in monotonic milliseconds. */
  get sampledMs(): number {
    return this.#sampledMs;
  }

  /** Time within which nearly all replies come, in milliseconds (RFC 6298's time-out). */
  get usualMs(): number {
    return this.#known ? this.#meanMs + 4 * this.#deviationMs : PATIENCE.unknown;
  }

  /** Time after which an outstanding query is worth a second thought, in milliseconds. */
  get patienceMs(): number {
    return Math.min(Math.max(this.usualMs, PATIENCE.min), PATIENCE.max);
  }

  /** Takes in the time that one reply took. */
  sample(durationMs: number, nowMs: number): void {
    // Anything else would stay in the averages for good, and time-outs come of them.
    if (!(durationMs >= 0 && durationMs < Infinity)) return;
    this.#sampledMs = nowMs;
    if (!this.#known) {
      this.#known = true;
      this.#meanMs = durationMs;
      this.#deviationMs = durationMs / 2;
      return;
    }
    const error = durationMs - this.#meanMs;
    this.#meanMs += MEAN_WEIGHT * error;
    this.#deviationMs += DEVIATION_WEIGHT * (Math.abs(error) - this.#deviationMs);
  }
}
