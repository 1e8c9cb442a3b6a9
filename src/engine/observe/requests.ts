/** Lists of the most frequent. */
export type ListName = "names" | "clients" | "zones" | "failures" | "slow";

/** Time that a list covers. */
export type ListSpan = "minute" | "hour";

/** Per data plane. */
export const MAX_WATCHERS = 4;
/** A watch ends if its lines are not collected. */
export const WATCH_MS = 3000;

/** All conditions must hold. */
export interface WatchFilter {
  /** Null: any. */
  client: { address: readonly number[]; prefix: number } | null;
  /** Presentation format; null: any. */
  zone: string | null;
  /** -1: unanswered. Empty: any. */
  rcodes: readonly number[];
  /** Minimum. */
  slowMs: number;
  /** One of so many. */
  sample: number;
}

/** A data plane that does not observe answers null. */
export type ObserveRequest =
  | { type: "tallies" }
  | { type: "list"; list: ListName; span: ListSpan }
  /** Begins, continues and collects. */
  | { type: "watch"; id: string; filter: WatchFilter }
  | { type: "unwatch"; id: string };

/** Since the data plane's start. */
export interface Tally {
  /** By `RCODE_TALLIES`. */
  rcodes: number[];
  /** Without a wait. */
  immediate: number;
  waited: number[];
  /** Answers by source. */
  sources: Record<string, number>;
}

/** Counts now, and at the last whole minute's start. */
export interface TallyReply {
  now: Tally;
  before: Tally;
  seconds: number;
  sampledEvery: number;
}

/** Entries may repeat. */
export interface ListReply {
  /** Covered time. */
  seconds: number;
  counts: ListCount[];
  slow: SightingLine[];
}

/** Fields of no use to the list are empty. */
export interface ListCount {
  /** A `rawName`, or an address. */
  text: string;
  qtype: number;
  /** -1: unanswered. */
  rcode: number;
  count: number;
  /** Part that may be others'. */
  error: number;
  /** Of the last failure. */
  reason: string;
}

/** An ended query. */
export interface SightingLine {
  /** Since 1970. */
  timeMs: number;
  client: string;
  transport: "udp" | "tcp";
  name: string;
  qtype: number;
  /** -1: unanswered. */
  rcode: number;
  answers: number;
  /** First in the answer, or "". */
  address: string;
  /** First record's, or -1. */
  ttl: number;
  source: string;
  upstream: string;
  waitedMs: number;
  reason: string;
}

/** Oldest lines first. */
export interface WatchReply {
  lines: SightingLine[];
  /** Since the last collection. */
  lost: number;
  /** Lines are left. */
  more: boolean;
  /** By this request. */
  begun: boolean;
  /** Too many watchers. */
  refused: boolean;
}
