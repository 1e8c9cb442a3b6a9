/** Lists of the most frequent. */
export type ListName = "names" | "clients" | "zones" | "failures" | "slow";

/** Time that a list covers. */
export type ListSpan = "minute" | "hour";

/** Watchers at a time in a data plane. */
export const MAX_WATCHERS = 4;
/** A watcher whose lines nobody collects ends after this time. */
export const WATCH_MS = 3000;

/** Which queries a watcher wants; all conditions must hold. */
export interface WatchFilter {
  /** Null: any. */
  client: { address: readonly number[]; prefix: number } | null;
  /** In presentation format; null: any. */
  zone: string | null;
  /** -1: not answered. Empty: any. */
  rcodes: readonly number[];
  /** At least so long. */
  slowMs: number;
  /** One of so many of those that match. */
  sample: number;
}

/** Request of the control plane; answered with null by a data plane that does not observe. */
export type ObserveRequest =
  /** Answer: `TallyReply`. */
  | { type: "tallies" }
  /** Answer: `ListReply`. */
  | { type: "list"; list: ListName; span: ListSpan }
  /** Begins, continues and collects. Answer: `WatchReply`. */
  | { type: "watch"; id: string; filter: WatchFilter }
  | { type: "unwatch"; id: string };

/** Counts since the start of the data plane. */
export interface Tally {
  /** By `RCODE_TALLIES`. */
  rcodes: number[];
  /** Answers without a wait. */
  immediate: number;
  /** Others, by `latencyBucket`. */
  waited: number[];
  /** Answers by source. */
  sources: Record<string, number>;
}

/** Counts now, and when the last whole minute began. */
export interface TallyReply {
  now: Tally;
  before: Tally;
  /** Time between the two. */
  seconds: number;
  sampledEvery: number;
}

/** Entries of a list, which may occur several times. */
export interface ListReply {
  /** Time that is covered. */
  seconds: number;
  counts: ListCount[];
  /** Of the list `slow`. */
  slow: SightingLine[];
}

/** An entry of a list; fields that are of no use to the list are empty. */
export interface ListCount {
  /** A `rawName`, or an address. */
  text: string;
  qtype: number;
  /** -1: not answered. */
  rcode: number;
  count: number;
  /** Part of the count that may be others'. */
  error: number;
  /** Why the last one failed. */
  reason: string;
}

/** A query that has ended. */
export interface SightingLine {
  /** Milliseconds since 1970. */
  timeMs: number;
  client: string;
  transport: "udp" | "tcp";
  /** A `rawName`. */
  name: string;
  qtype: number;
  /** -1: not answered. */
  rcode: number;
  answers: number;
  /** First address among the answers, or "". */
  address: string;
  /** Of the first answer, or -1. */
  ttl: number;
  source: string;
  upstream: string;
  waitedMs: number;
  reason: string;
}

/** Lines of a watcher, oldest first. */
export interface WatchReply {
  lines: SightingLine[];
  /** Lines lost since the last collection, because nobody collected in time. */
  lost: number;
  /** There are more lines. */
  more: boolean;
  /** The watch has begun with this request. */
  begun: boolean;
  /** Too many watch already. */
  refused: boolean;
}
