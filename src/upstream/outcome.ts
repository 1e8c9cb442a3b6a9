import type { Reply } from "./message/reply.ts";

/** How fit a server is for a new query, the best first. */
export const RANK = { WELL: 0, SUSPECT: 1, DOWN: 2, LOOPING: 3 } as const;

/** How asking one server ended. */
export type Outcome =
  /** It answered the question: with records, with a denial, or with an error that stands. */
  | { kind: "answer"; reply: Reply }
  /**
   * It answered that it cannot or will not. `rcode` is what to tell the client if nobody can;
   * `elsewhere` if that is about this server rather than about the question.
   */
  | { kind: "refused"; rcode: number; elsewhere: boolean; reply: Reply }
  /** It could not be asked, or what it sent is unusable; `why` is for the operator. */
  | { kind: "failed"; why: string }
  /** Nothing came in time. */
  | { kind: "silent" };

/** How a server is asked. */
export interface AskOptions {
  /** Over a stream even if the server takes datagrams. */
  streamed: boolean;
  /** The server has been asked this question before, and has not answered it. */
  again: boolean;
  /** When the ask ends at the latest, in monotonic milliseconds. */
  limitMs: number;
}

/** An ask under way, as its caller sees it. */
export interface Ticket {
  /** Since when a reply may be expected, in monotonic milliseconds; Infinity until connected. */
  readonly sinceMs: number;
  /** When the ask ends as silent, in monotonic milliseconds. */
  readonly dueMs: number;
  /** Whether the question travels over a stream, which loses nothing on its way. */
  readonly streamed: boolean;
  /** Lets the ask end no later than this, in monotonic milliseconds. */
  limit(dueMs: number): void;
  /** Ends the ask without an outcome. The caller must not use the ticket afterwards. */
  cancel(): void;
}

/** Told how an ask goes. */
export interface AskHandler {
  /** The ask is over; the reply in `outcome` is good during the call only. */
  ended(ticket: Ticket, outcome: Outcome): void;
  /** The server is silent: no reply is likely to come, though the ask goes on. */
  suspected(ticket: Ticket): void;
}
