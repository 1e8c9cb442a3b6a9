/** Milliseconds of silence that mean a loss. */
const PATIENCE = { unknown: 400, min: 100, max: 1000 } as const;
/** Weights of a new sample (RFC 6298 section 2). */
const MEAN_WEIGHT = 1 / 8;
const DEVIATION_WEIGHT = 1 / 4;

/** Round-trip time of a server. */
export class RoundTrip {
  /** 0 before the first sample. Read only. */
  meanMs = 0;
  /** Read only. */
  sampledMs = -Infinity;
  #deviationMs = 0;

  get known(): boolean {
    return this.sampledMs > -Infinity;
  }

  /** RFC 6298's timeout. */
  get usualMs(): number {
    return this.known ? this.meanMs + 4 * this.#deviationMs : PATIENCE.unknown;
  }

  get patienceMs(): number {
    return Math.min(Math.max(this.usualMs, PATIENCE.min), PATIENCE.max);
  }

  sample(durationMs: number, nowMs: number): void {
    // Would spoil the averages.
    if (!(durationMs >= 0 && durationMs < Infinity)) return;
    if (this.known) {
      const error = durationMs - this.meanMs;
      this.meanMs += MEAN_WEIGHT * error;
      this.#deviationMs += DEVIATION_WEIGHT * (Math.abs(error) - this.#deviationMs);
    } else {
      this.meanMs = durationMs;
      this.#deviationMs = durationMs / 2;
    }
    this.sampledMs = nowMs;
  }
}
