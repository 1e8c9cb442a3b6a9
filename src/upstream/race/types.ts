import type { ErrorText } from "../../dns/error_text.ts";
import type { Timers } from "../../engine/timers.ts";
import type { Inquiry } from "../message/inquiry.ts";
import type { Reply } from "../message/reply.ts";
import type { GroupSettings } from "../options.ts";
import type { AskHandler, AskOptions, ExtraEvent, Outcome, Ticket } from "../outcome.ts";
import type { Budget } from "./budget.ts";
import type { OrderedServer, ServerOrder } from "./order.ts";

/** Server interface for races. */
export interface RaceServer extends OrderedServer {
  readonly label: string;
  readonly roundTrip: OrderedServer["roundTrip"] & {
    readonly usualMs: number;
    readonly patienceMs: number;
  };
  ask(inquiry: Inquiry, options: AskOptions, handler: AskHandler): Ticket | Outcome;
  /** Clients' queries, answered by another server or none. */
  lost(queries: number, answered: boolean): void;
  count(event: ExtraEvent): void;
}

/** Settings of a race. */
export type RaceSettings = Pick<
  GroupSettings,
  | "readTimeoutMs"
  | "policy"
  | "maxConnectAttempts"
  | "hedgeMs"
  | "failover"
  | "failfastAllUnhealthyUpstreams"
>;

/** Shared by races to the same servers. */
export interface RaceGroup {
  readonly engine: { readonly nowMs: number; readonly timers: Timers; random(): number };
  readonly settings: RaceSettings;
  readonly servers: readonly RaceServer[];
  readonly order: ServerOrder;
  readonly hedges: Budget;
  readonly resends: Budget;
  count(event: "allDown" | "hedge" | "resend"): void;
}

/** Callbacks of a race. */
export interface RaceHandler {
  /** Waiting clients'. */
  readonly clientQueries: number;
  /** `reply` is valid during the call. */
  answered(reply: Reply, server: RaceServer): void;
  failed(failure: RaceFailure): void;
}

/** All servers failed. */
export class RaceFailure {
  error = "no upstream answered";
  silent = false;
  /** -1 for none. */
  rcode = -1;
  extendedError = -1;
  errorText: ErrorText | null = null;
}
