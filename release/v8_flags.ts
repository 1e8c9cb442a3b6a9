/**
 * V8's options for nodens, shipped and from source; its heap cannot be configured later
 * (`src/sys/garbage.ts`).
 *
 * - `--max-semi-space-size`: new objects take up to three times as many MiB in each thread. By default
 *   a thread that makes garbage grows to 80 MB, with 2 to 20; 60,000 misses take as much CPU with 1, 2,
 *   4 and 16.
 * - `--expose-gc`: lets nodens collect garbage outside of the heap in time.
 */
export const V8_FLAGS = "--v8-flags=--max-semi-space-size=2,--expose-gc";
