import type { LaunchOptions } from "./launch_options.ts";

/** Lowest source port towards upstreams; listeners of benchmarks and tests are below. */
export const FIRST_SOURCE_PORT = 32_768;

/** A server in the benchmark: a column of its table. */
export interface ServerKind {
  /** In the table and in `--only`. */
  readonly name: string;
  /** Required executable; a missing one is reported and the server skipped. */
  readonly binary: string;
  /** Caches answers, so fills and misses are meaningful. */
  readonly caches: boolean;
  /** Serves as a competitor in the budgets. */
  readonly peer: boolean;
  /** Only the start and the memory at rest are measured. */
  readonly startOnly?: boolean;
  /** Writes the configuration and returns the command line. */
  prepare(options: LaunchOptions): string[];
}
