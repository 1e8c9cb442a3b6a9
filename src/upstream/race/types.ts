import type { ErrorText } from "../../dns/error_text.ts";
import type { Timers } from "../../engine/timers.ts";
import type { Inquiry } from "../message/inquiry.ts";
import type { Reply } from "../message/reply.ts";
import type { GroupSettings } from "../options.ts";
import type { AskHandler, AskOptions, Outcome, Ticket } from "../outcome.ts";
import type { Budget } from "./budget.ts";
import type { OrderedServer, ServerOrder } from "./order.ts";

/** A server as a race sees it. */
export interface RaceServer extends OrderedServer {
  readonly label: string;
  readonly roundTrip: OrderedServer["roundTrip"] & {
    readonly usualMs: number;
    readonly patienceMs: number;
  };
  ask(inquiry: Inquiry, options: AskOptions, handler: AskHandler): Ticket | Outcome;
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

/** What races to the same servers share. */
export interface RaceGroup {
  readonly engine: { readonly nowMs: number; readonly timers: Timers; random(): number };
  readonly settings: RaceSettings;
  readonly servers: readonly RaceServer[];
  readonly order: ServerOrder;
  readonly hedges: Budget;
  readonly resends: Budget;
  count(event: "allDown" | "hedge" | "resend"): void;
}

/** Receives the end of a race. */
export interface RaceHandler {
  /** `reply` is valid during the call only. */
  answered(reply: Reply): void;
  failed(failure: RaceFailure): void;
}

/** Why no server answered. */
export interface RaceFailure {
  error: string;
  silent: boolean;
  /** -1 for none. */
  rcode: number;
  extendedError: number;
  errorText: ErrorText | null;
}
