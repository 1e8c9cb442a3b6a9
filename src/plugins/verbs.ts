import type { Config } from "../config/types.ts";

/** A request of an operator. */
export interface VerbCall {
  /** Only those that the verb names. */
  readonly parameters: ReadonlyMap<string, string>;
  /** The configuration being served. */
  readonly config: Config;
  /** Aborted when the operator has gone; streams must then end. */
  readonly gone: AbortSignal;
}

/** A JSON object, or a stream of them: one a line. */
export type VerbReply = object | AsyncIterable<object>;

/**
 * Something that operators ask of a serving nodens: over the control socket as
 * `/v1/NAME?PARAMETER=VALUE`, and on the command line.
 */
export interface Verb {
  /** Path below `/v1/`. */
  readonly name: string;
  /** Needs POST, and is logged with the caller. */
  readonly changes?: boolean;
  readonly parameters?: readonly string[];
  /** Throws `VerbError`. Answers within `VERB_MS`, or streams. */
  run(call: VerbCall): VerbReply | Promise<VerbReply>;
}

/** Limit of a verb that does not stream. */
export const VERB_MS = 10_000;

/** A request that cannot be served; the message names the value and the remedy. */
export class VerbError extends Error {
  /** HTTP status: a wrong parameter, something unknown, or not possible now. */
  readonly status: 400 | 404 | 409 | 503;

  constructor(message: string, status: VerbError["status"] = 400) {
    super(message);
    this.status = status;
  }
}
