import { ErrorText } from "../../dns/error_text.ts";
import type { Reply } from "../message/reply.ts";
import type { Outcome } from "../outcome.ts";
import type { RaceFailure } from "./contest.ts";

/** What went wrong in a race: what is told if nobody answers. */
export class RaceFailures {
  #error = "";
  #silent = false;
  /** A failure that a server has told of, handed on if nothing better comes; -1 for none. */
  #rcode = -1;
  #extendedError = -1;
  /** Made when first needed. */
  #text: ErrorText | null = null;

  /** Forgets the race before. */
  clear(): void {
    this.#error = "";
    this.#silent = false;
    this.#rcode = -1;
    this.#extendedError = -1;
  }

  /** Notes why a server could not be asked or its reply not be used. */
  failed(label: string, why: string): void {
    this.#error = `${label}: ${why}`;
  }

  /** Notes that a server kept the client waiting. */
  silent(label: string): void {
    this.#error = `${label}: i/o timeout`;
    this.#silent = true;
  }

  /** Notes why no server may be asked. */
  refused(why: string): void {
    this.#error = why;
  }

  /** Notes a reply that is handed on if nothing better comes. */
  replied(outcome: Outcome & { reply: Reply }): void {
    this.#rcode = outcome.kind === "refused" ? outcome.rcode : outcome.reply.rcode;
    this.#extendedError = outcome.reply.readError(this.#text ??= new ErrorText());
  }

  /** The whole of it, once nobody has answered. */
  describe(): RaceFailure {
    const extendedError = this.#extendedError;
    return {
      error: this.#error === "" ? "no upstream answered" : this.#error,
      silent: this.#silent,
      rcode: this.#rcode,
      extendedError,
      errorText: extendedError < 0 ? null : this.#text,
    };
  }
}
