import type { Config } from "../config/types.ts";

/** The engine as the control plane sees it. */
export interface Control {
  /**
   * Replaces the configuration; queries that wait finish on the chains that began them. A listener
   * that stays must keep its index (`alignListeners`): open streams refer to it.
   */
  configure(config: Config): void;
  /** Hands data from the control plane to the handler at `position` of a block. */
  deliver(block: number, position: number, data: unknown): void;
  /** Asks the handler at `position` of a block for something; undefined where it knows no answer. */
  ask(block: number, position: number, request: unknown): unknown;
  /** The handlers that cannot do their work yet: block and plugin of each. */
  unready(): [block: number, plugin: string][];
}
