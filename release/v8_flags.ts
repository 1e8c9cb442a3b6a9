/**
 * Options of V8 that nodens is shipped with and run with from source, since nothing of its heap can be
 * set once it runs (`src/sys/garbage.ts`).
 *
 * - `--max-semi-space-size`: new objects take up to three times as many MiB in each thread. At V8's
 *   own size a thread that makes garbage grows to 80 MB, at 2 to 20; 60,000 misses take as much CPU
 *   with 1, 2, 4 and 16.
 * - `--expose-gc`: lets nodens collect garbage outside of the heap in time.
 */
export const V8_FLAGS = "--v8-flags=--max-semi-space-size=2,--expose-gc";
