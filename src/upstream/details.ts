import type { ServerState } from "./options.ts";

/** What is known of a server, for operators; of one data plane. */
export interface ServerDetails extends ServerState {
  /** Time in this state. */
  stateMs: number;
  /** Counts of `LatencyDigest`. */
  latency: readonly number[];
  /** Of all groups with this server. */
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

/** What a server was found to support. */
export interface Learnt {
  /** Answered form: with options, EDNS alone, or without; null before the first answer. */
  edns: "options" | "alone" | "none" | null;
  /** RFC 7873; null before the first answer. */
  cookies: "yes" | "echoed" | "no" | "off" | null;
  /** With `x20`; null before the first answer. "tcp": forgery is suspected. */
  case: "kept" | "changed" | "tcp" | "off" | null;
  /** Whether the last query over TCP or TLS was answered. */
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
