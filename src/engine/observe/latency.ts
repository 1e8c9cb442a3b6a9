/** First bound in milliseconds: below, the loop's clock is coarse. */
const FIRST_MS = 0.05;
/** Steps of 19 %. */
const PER_OCTAVE = 4;

/** Up to eleven seconds. */
export const LATENCY_BUCKETS = 72;

/** A time's bucket. */
export function latencyBucket(ms: number): number {
  if (ms <= FIRST_MS) return 0;
  const bucket = Math.ceil(PER_OCTAVE * Math.log2(ms / FIRST_MS));
  return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

/** In milliseconds, null without times. `immediate`: further times, of 0. */
export function latencyQuantile(
  counts: readonly number[],
  immediate: number,
  quantile: number,
): number | null {
  const total = counts.reduce((sum, count) => sum + count, immediate);
  if (total <= 0) return null;
  let rank = quantile * total - immediate;
  if (rank <= 0) return 0;
  for (const [bucket, count] of counts.entries()) {
    if (rank <= count) {
      const lower = bucket === 0 ? 0 : boundMs(bucket - 1);
      return lower + (boundMs(bucket) - lower) * rank / count;
    }
    rank -= count;
  }
  return boundMs(counts.length - 1);
}

function boundMs(bucket: number): number {
  return FIRST_MS * 2 ** (bucket / PER_OCTAVE);
}
