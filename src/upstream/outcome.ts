import type { Reply } from "./message/reply.ts";

/** Fitness, best first. */
export const RANK = { WELL: 0, SUSPECT: 1, DOWN: 2, LOOPING: 3, OUT: 4 } as const;

/** Result of asking one server. */
export type Outcome =
  /** Also an error of all servers. */
  | { kind: "answer"; reply: Reply }
  /** `rcode`: for the client if all fail. `elsewhere`: the question is not at fault. */
  | { kind: "refused"; rcode: number; elsewhere: boolean; reply: Reply }
  /** Not sent, or an unusable reply. */
  | { kind: "failed"; why: string }
  | { kind: "silent" };

/** Options of an ask. */
export interface AskOptions {
  streamed: boolean;
  /** Unanswered before. */
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
  /** Includes those without EDNS, or over TCP. */
  readonly sends: number;
  limit(dueMs: number): void;
  /** Without outcome; invalidates the ticket. */
  cancel(): void;
}

/** Callbacks of an ask. */
export interface AskHandler {
  /** Valid during the call. */
  ended(ticket: Ticket, outcome: Outcome): void;
  /** An answer is unlikely. */
  suspected(ticket: Ticket): void;
}

/** Queries beside those to another server, and those that brought the answer. */
export type ExtraEvent = "hedges" | "hedgesWon" | "resends";
