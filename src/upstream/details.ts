import type { ServerState } from "./options.ts";

/** A server in one data plane, for operators. */
export interface ServerDetails extends ServerState {
  /** Time in this state. */
  stateMs: number;
  /** Of `LatencyDigest`. */
  latency: readonly number[];
  /** Over all groups with this server. */
  counts: ServerCounts;
  learnt: Learnt;
  lastFailure: { why: string; agoMs: number } | null;
}

/** Counters of a server. */
export interface ServerCounts {
  replies: number;
  failures: number;
  timeouts: number;
  hedges: number;
  hedgesWon: number;
  resends: number;
}

/** Abilities of a server. */
export interface Learnt {
  /** Answered form; null before the first answer. */
  edns: "options" | "alone" | "none" | null;
  /** RFC 7873; null before the first answer. */
  cookies: "yes" | "echoed" | "no" | "off" | null;
  /** With `x20`; null before the first answer. "tcp": forgery is suspected. */
  case: "kept" | "changed" | "tcp" | "off" | null;
  /** The last query over TCP or TLS was answered. */
  streams: boolean | null;
  connections: {
    open: number;
    /** Answers queries out of order. */
    pipelines: boolean;
    singleUse: boolean;
    limit: number | null;
  };
  looping: boolean;
}
