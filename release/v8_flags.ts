/**
 * V8's options; the heap cannot be configured later (`src/sys/garbage.ts`).
 *
 * - `--max-semi-space-size`: new objects take up to three times as many MiB per thread. A busy
 *   thread grows to 80 MB by default, and to 20 with 2; 60,000 misses take equal CPU with 1, 2, 4
 *   and 16.
 * - `--expose-gc`: lets nodens collect buffers outside the heap in time.
 */
export const V8_FLAGS = "--v8-flags=--max-semi-space-size=2,--expose-gc";
