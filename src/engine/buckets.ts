/** CoreDNS's bounds. A histogram has a counter per bound, one for higher values, and a sum. */

/** Query durations in seconds. */
export const TIME_BUCKETS: readonly number[] = powers(0.00025, 2, 16);
/** `TIME_BUCKETS` in five steps. */
export const SLIM_TIME_BUCKETS: readonly number[] = powers(0.00025, 10, 5);
/** Message sizes in bytes. */
export const SIZE_BUCKETS: readonly number[] = [
  ...[0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291],
  ...[16e3, 32e3, 48e3, 64e3],
];

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
