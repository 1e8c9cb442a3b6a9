import type { ErrorText } from "../../dns/error_text.ts";
import type { Timers } from "../../engine/timers.ts";
import type { Inquiry } from "../message/inquiry.ts";
import type { Reply } from "../message/reply.ts";
import type { Policy } from "../options.ts";
import type { AskHandler, AskOptions, Outcome, Ticket } from "../outcome.ts";
import type { Budget } from "./budget.ts";
import type { Candidate, ServerOrder } from "./order.ts";

/** A server as a race sees it. */
export interface Contestant extends Candidate {
  readonly label: string;
  readonly roundTrip: Candidate["roundTrip"] & {
    /** Time within which nearly all replies come, and one worth a second thought; milliseconds. */
    readonly usualMs: number;
    readonly patienceMs: number;
  };
  ask(
    inquiry: Inquiry,
    options: AskOptions,
    handler: AskHandler,
  ): Ticket | Outcome;
}

/** Which of its servers a race may ask. */
export interface RaceAim {
  readonly only: Contestant | null;
  readonly intoLoops: boolean;
}

/** How a question is put to several servers. */
export interface RaceSettings {
  /** Time that one server is given for one answer. */
  readTimeoutMs: number;
  policy: Policy;
  /** Most asks a question; 0 for no limit, null for twice the number of servers. */
  maxConnectAttempts: number | null;
  /** When a second server is asked too: after this time, after its usual time, or never. */
  hedgeMs: number | "auto" | null;
  /** Response codes that make the question go to the next server. */
  failover: number[];
  /** Fail at once while all servers are down. */
  failfastAllUnhealthyUpstreams: boolean;
}

/** What a race shares with the others for the same servers. */
export interface RaceGroup {
  readonly engine: { readonly nowMs: number; readonly timers: Timers; random(): number };
  readonly settings: RaceSettings;
  readonly servers: readonly Contestant[];
  readonly order: ServerOrder;
  readonly hedges: Budget;
  readonly resends: Budget;
  countAllDown(): void;
  countHedge(): void;
  countResend(): void;
}

/** Told once how a race ends. */
export interface RaceHandler {
  /** The answer, good during the call only. */
  answered(reply: Reply): void;
  failed(failure: RaceFailure): void;
}

/** Nobody answered. */
export interface RaceFailure {
  /** For the operator. */
  error: string;
  /** A server kept the client waiting. */
  silent: boolean;
  /** A server's own failure to hand on, or -1; and the extended error that it came with, or -1. */
  rcode: number;
  extendedError: number;
  /** Text of that error; null where there was none at all. */
  errorText: ErrorText | null;
}
