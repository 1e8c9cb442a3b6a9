/** Status data of one handler. */
export interface HandlerFacts<Options> {
  options: Options;
  counters: Counters;
  /** Listener labels. */
  servers: readonly string[];
  /** Data planes' answers, or undefined. */
  answers: readonly unknown[];
}

/** Sum of a counter over all data planes. */
export type Counters = (name: string, labels: Record<string, string>) => number;

/** Part of `/status` and `nodens status`. */
export interface PluginStatus<Options, Status> {
  readonly request?: unknown;
  describe(facts: HandlerFacts<Options>): Status;
  /** Columns, and those with numbers. */
  readonly heads: readonly string[];
  readonly numbers: readonly string[];
  rows(status: Status, zones: readonly string[]): string[][];
}
