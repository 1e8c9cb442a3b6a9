/** CoreDNS's bounds. A histogram has a counter per bound, one for higher values, and a sum. */

/** Query durations in seconds. */
export const TIME_BUCKETS: readonly number[] = powers(0.00025, 2, 16);
/** `TIME_BUCKETS` in five steps. */
export const SLIM_TIME_BUCKETS: readonly number[] = powers(0.00025, 10, 5);
/** Message sizes in bytes. */
export const SIZE_BUCKETS: readonly number[] = [
  0,
  100,
  200,
  300,
  400,
  511,
  1023,
  2047,
  4095,
  8291,
  16e3,
  32e3,
  48e3,
  64e3,
];

/** Bucket of milliseconds in `TIME_BUCKETS`. */
export function timeBucket(durationMs: number): number {
  if (durationMs <= 0.25) return 0;
  const bucket = Math.ceil(Math.log2(durationMs * 4));
  return bucket < TIME_BUCKETS.length ? bucket : TIME_BUCKETS.length;
}

/** Bucket of each size from 0 to 65,535. */
export function sizeBuckets(): Uint8Array {
  if (buckets === null) {
    buckets = new Uint8Array(65536).fill(SIZE_BUCKETS.length);
    SIZE_BUCKETS.forEach((bound, i) =>
      buckets!.fill(i, i === 0 ? 0 : SIZE_BUCKETS[i - 1]! + 1, bound + 1)
    );
  }
  return buckets;
}
let buckets: Uint8Array | null = null;

/** First bound not below the value, or the number of bounds. */
export function bucketOf(bounds: readonly number[], value: number): number {
  let bucket = 0;
  while (bucket < bounds.length && bounds[bucket]! < value) bucket++;
  return bucket;
}

function powers(first: number, factor: number, count: number): number[] {
  const bounds = [first];
  while (bounds.length < count) bounds.push(bounds.at(-1)! * factor);
  return bounds;
}
