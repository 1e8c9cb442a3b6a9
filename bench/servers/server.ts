import type { LaunchOptions } from "./launch_options.ts";

/**
 * The first port that a server's own sockets may take towards upstreams: listeners of benchmarks and
 * tests have ports below.
 */
export const FIRST_SOURCE_PORT = 32_768;

/** A server that the benchmark can measure: a column of its table. */
export interface ServerKind {
  /** Name in the table and in `--only`. */
  readonly name: string;
  /** Required executable; without it the server is left out, which is reported. */
  readonly binary: string;
  /** It keeps answers, so filling it and missing it mean something. */
  readonly caches: boolean;
  /** It is measured as one to be beaten. */
  readonly peer: boolean;
  /** Writes the configuration and returns the command line. */
  prepare(options: LaunchOptions): string[];
}
