/** Buckets grow by 2^(1/4): percentiles are right within a tenth. */
const FIRST_MS = 1 / 16;
const STEPS = 4;
/** Up to 11 seconds. */
const BUCKETS = 70;
/** Then halved: the last few thousand replies count. */
const WINDOW = 8192;

/** Percentiles that operators see. */
export interface Percentiles {
  p50: number;
  p90: number;
  p99: number;
}

/** Recent reply times, in 140 octets. */
export class LatencyDigest {
  readonly #counts = new Uint16Array(BUCKETS);
  #total = 0;

  add(durationMs: number): void {
    // Anything else would fill the wrong bucket.
    if (!(durationMs >= 0 && durationMs < Infinity)) return;
    const bucket = Math.floor(Math.log2(durationMs / FIRST_MS) * STEPS);
    this.#counts[Math.max(0, Math.min(bucket, BUCKETS - 1))]!++;
    if (++this.#total >= WINDOW) this.#halve();
  }

  get counts(): number[] {
    return [...this.#counts];
  }

  #halve(): void {
    this.#total = 0;
    for (let i = 0; i < BUCKETS; i++) this.#total += this.#counts[i]! >>>= 1;
  }
}

/** In milliseconds; null without a reply. */
export function percentilesOf(digests: readonly (readonly number[])[]): Percentiles | null {
  const counts = Array.from(
    { length: BUCKETS },
    (_, i) => digests.reduce((sum, digest) => sum + (digest[i] ?? 0), 0),
  );
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const at = (share: number) => {
    let left = share * total;
    const bucket = counts.findIndex((count) => (left -= count) <= 0);
    return Number((FIRST_MS * 2 ** ((bucket + 0.5) / STEPS)).toPrecision(2));
  };
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}
