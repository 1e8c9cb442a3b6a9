import type { Reply } from "./message/reply.ts";

/** Fitness, best first. */
export const RANK = { WELL: 0, SUSPECT: 1, DOWN: 2, LOOPING: 3, OUT: 4 } as const;

/** Result of asking one server. */
export type Outcome =
  /** Records, a denial, or an error of all servers. */
  | { kind: "answer"; reply: Reply }
  /** `rcode` is for the client if all fail; `elsewhere` if the question is not at fault. */
  | { kind: "refused"; rcode: number; elsewhere: boolean; reply: Reply }
  /** Nothing was sent, or the reply is unusable. */
  | { kind: "failed"; why: string }
  | { kind: "silent" };

/** Options of an ask. */
export interface AskOptions {
  streamed: boolean;
  /** Unanswered by the server before. */
  again: boolean;
  /** Monotonic milliseconds. */
  limitMs: number;
}

/** An ask under way. */
export interface Ticket {
  /** Monotonic milliseconds; Infinity until connected. */
  readonly sinceMs: number;
  /** When the ask ends as silent. */
  readonly dueMs: number;
  readonly streamed: boolean;
  /** Queries sent so far: also without EDNS, or over TCP after truncation. */
  readonly sends: number;
  limit(dueMs: number): void;
  /** Ends without outcome; invalidates the ticket. */
  cancel(): void;
}

/** Callbacks of an ask. */
export interface AskHandler {
  /** The reply is valid during the call. */
  ended(ticket: Ticket, outcome: Outcome): void;
  /** A reply is unlikely; the ask continues. */
  suspected(ticket: Ticket): void;
}

/** Queries to a server beside those to another, and those that brought the answer. */
export type ExtraEvent = "hedges" | "hedgesWon" | "resends";
