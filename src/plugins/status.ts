/** Data for the status of one handler. */
export interface HandlerFacts<Options> {
  options: Options;
  counters: Counters;
  /** Label values of its block's listeners. */
  servers: readonly string[];
  /** Each data plane's answer to `request`; undefined for none. */
  answers: readonly unknown[];
}

/** Sum of a counter over all data planes. */
export type Counters = (name: string, labels: Record<string, string>) => number;

/** A plugin's part of `/status` and `nodens status`. */
export interface PluginStatus<Options, Status> {
  /** Request to the handlers, if any. */
  readonly request?: unknown;
  describe(facts: HandlerFacts<Options>): Status;
  /** Columns of its table, and those with numbers. */
  readonly heads: readonly string[];
  readonly numbers: readonly string[];
  rows(status: Status, zones: readonly string[]): string[][];
}
