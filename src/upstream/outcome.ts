import type { Reply } from "./message/reply.ts";

/** How fit a server is for a new query, best first. */
export const RANK = { WELL: 0, SUSPECT: 1, DOWN: 2, LOOPING: 3 } as const;

/** How asking one server ended. */
export type Outcome =
  /** An answer: records, a denial, or an error that no other server would answer differently. */
  | { kind: "answer"; reply: Reply }
  /**
   * An error response. `rcode` is for the client if no server answers; `elsewhere` means that the
   * error is about this server rather than the question.
   */
  | { kind: "refused"; rcode: number; elsewhere: boolean; reply: Reply }
  /** Nothing was sent, or the reply is unusable. */
  | { kind: "failed"; why: string }
  | { kind: "silent" };

/** How to ask a server. */
export interface AskOptions {
  streamed: boolean;
  /** The server was asked this question before and has not answered. */
  again: boolean;
  /** Latest end of the ask, in monotonic milliseconds. */
  limitMs: number;
}

/** An ask under way. */
export interface Ticket {
  /** When the wait for a reply began, in monotonic milliseconds; Infinity until connected. */
  readonly sinceMs: number;
  /** When the ask ends as silent, in monotonic milliseconds. */
  readonly dueMs: number;
  /** Whether the question is on a stream, which loses nothing. */
  readonly streamed: boolean;
  limit(dueMs: number): void;
  /** Ends the ask without an outcome. The ticket must not be used afterwards. */
  cancel(): void;
}

/** Receives the course of an ask. */
export interface AskHandler {
  /** The reply in `outcome` is valid during the call only. */
  ended(ticket: Ticket, outcome: Outcome): void;
  /** A reply is unlikely, though the ask continues. */
  suspected(ticket: Ticket): void;
}
