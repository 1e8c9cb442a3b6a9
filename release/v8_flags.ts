/**
 * V8's options; the heap cannot be configured later (`src/sys/garbage.ts`).
 *
 * - `--max-semi-space-size`: new objects take up to three times as many MiB per thread. A busy
 *   thread grows to 80 MB by default, and to 20 with 2; 60,000 misses take equal CPU with 1, 2, 4
 *   and 16.
 * - `--expose-gc`: lets nodens collect buffers outside the heap in time.
 * - `--no-maglev-destroy-on-background`: when load begins, V8 compiles hundreds of functions. It
 *   would free what each took on another thread, too late: 20 MB more.
 */
const OPTIONS = "--max-semi-space-size=2,--expose-gc,--no-maglev-destroy-on-background";

/** Of the executable, as an argument of `deno compile`. */
export const V8_FLAGS: string = `--v8-flags=${OPTIONS}`;

/**
 * From source, as an argument of `deno run`. `--no-lazy` compiles all functions of a module: Deno
 * caches the result, which saves an eighth of the start. The executable has no such cache.
 */
export const SOURCE_V8_FLAGS: string = `${V8_FLAGS},--no-lazy`;
