import type { Config } from "../config/types.ts";

/** An operator's request. */
export interface VerbCall {
  /** Those that the verb names. */
  readonly parameters: ReadonlyMap<string, string>;
  /** Being served. */
  readonly config: Config;
  /** Aborted when the operator has gone. */
  readonly gone: AbortSignal;
}

/** A JSON object, or a stream of them. */
export type VerbReply = object | AsyncIterable<object>;

/**
 * A request to a serving nodens: on the control socket as `/v1/NAME?PARAMETER=VALUE`, and on the
 * command line.
 */
export interface Verb {
  readonly name: string;
  /** Needs POST; logged with the caller. */
  readonly changes?: boolean;
  readonly parameters?: readonly string[];
  /** Throws `VerbError`. Answers within `VERB_MS`, or streams. */
  run(call: VerbCall): VerbReply | Promise<VerbReply>;
}

/** Unless it streams. */
export const VERB_MS = 10_000;

/** A request that cannot be served; the message names value and remedy. */
export class VerbError extends Error {
  /** HTTP: wrong parameter, unknown, or not now. */
  readonly status: 400 | 404 | 409 | 503;

  constructor(message: string, status: VerbError["status"] = 400) {
    super(message);
    this.status = status;
  }
}
