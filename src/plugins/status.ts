/** What is known of one handler, to describe it in a status. */
export interface HandlerFacts<Options> {
  options: Options;
  counters: Counters;
  /** Listeners of its block, as labels name them. */
  servers: readonly string[];
  /** What the handler of each data plane has answered to `request`; undefined for no answer. */
  answers: readonly unknown[];
}

/** Values by name and labels, over all data planes. */
export type Counters = (name: string, labels: Record<string, string>) => number;

/** How a plugin is shown in `/status` and by `nodens status`. */
export interface PluginStatus<Options, Status> {
  /** Asked of the handlers; without, nothing is. */
  readonly request?: unknown;
  describe(facts: HandlerFacts<Options>): Status;
  /** The columns of its table, and which of them hold numbers. */
  readonly heads: readonly string[];
  readonly numbers: readonly string[];
  rows(status: Status, zones: readonly string[]): string[][];
}
