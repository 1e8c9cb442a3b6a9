import type { Reply } from "./message/reply.ts";

/** Fitness of a server for a new query, best first. */
export const RANK = { WELL: 0, SUSPECT: 1, DOWN: 2, LOOPING: 3 } as const;

/** How asking one server ended. */
export type Outcome =
  /** Records, a denial, or an error that other servers would not answer differently. */
  | { kind: "answer"; reply: Reply }
  /**
   * `rcode` is for the client if no server answers; `elsewhere` if the error is not about the
   * question.
   */
  | { kind: "refused"; rcode: number; elsewhere: boolean; reply: Reply }
  /** Nothing was sent, or the reply is unusable. */
  | { kind: "failed"; why: string }
  | { kind: "silent" };

/** How to ask a server. */
export interface AskOptions {
  streamed: boolean;
  /** The server has not answered this question before. */
  again: boolean;
  /** Latest end, in monotonic milliseconds. */
  limitMs: number;
}

/** An ask under way. */
export interface Ticket {
  /** When the wait for a reply began, in monotonic milliseconds; Infinity until connected. */
  readonly sinceMs: number;
  /** When the ask ends as silent, in monotonic milliseconds. */
  readonly dueMs: number;
  readonly streamed: boolean;
  limit(dueMs: number): void;
  /** Ends the ask without an outcome; the ticket is invalid afterwards. */
  cancel(): void;
}

/** Receives the course of an ask. */
export interface AskHandler {
  /** The reply in `outcome` is valid during the call only. */
  ended(ticket: Ticket, outcome: Outcome): void;
  /** A reply is unlikely, though the ask continues. */
  suspected(ticket: Ticket): void;
}
