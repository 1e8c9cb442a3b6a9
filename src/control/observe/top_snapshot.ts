import type { ListName, ListSpan } from "../../engine/observe/requests.ts";

/** Lists of `top`. */
export const TOP_LISTS: readonly ListName[] = ["names", "clients", "zones", "failures", "slow"];

/** One to two minutes, or up to an hour. */
export const TOP_SPANS: readonly ListSpan[] = ["minute", "hour"];

/** Snapshot request. */
export interface TopQuery {
  lists: readonly ListName[];
  span: ListSpan;
  n: number;
}

/** All lists of the last minute. */
export const DEFAULT_TOP: TopQuery = { lists: TOP_LISTS, span: "minute", n: 10 };

/** JSON of the verb `top`. Names are in presentation format. */
export interface TopSnapshot {
  version: string;
  pid: number;
  uptimeSeconds: number;
  /** ISO 8601. */
  at: string;
  dataPlanes: { running: number; answered: number };
  rates: TopRates;
  /** Null with `-top off`. */
  latency: TopLatency | null;
  caches: TopCache[];
  upstreams: TopUpstream[];
  /** Null with `-top off`. */
  lists: TopLists | null;
}

/** Answers per second. */
export interface TopRates {
  /** Averaging time. */
  seconds: number;
  answers: number;
  /** "cache", "stale", "upstream", a plugin's name, or "nodens". Largest first. */
  bySource: { source: string; perSecond: number }[];
  /** Null with `-top off`. "none": no answer. Largest first. */
  byRcode: { rcode: string; perSecond: number }[] | null;
  /** Share of cache and stale among these and upstream; null without any. */
  hitRatio: number | null;
}

/** Milliseconds; null without queries. Immediate answers count as 0. */
export interface TopQuantiles {
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

/** Answer times of the last one or two minutes. */
export interface TopLatency {
  seconds: number;
  all: TopQuantiles;
  /** Only queries that waited, mostly for an upstream. */
  waited: TopQuantiles;
}

/** Cache content. */
export interface TopCache {
  zones: string[];
  success: { entries: number; capacity: number };
  denial: { entries: number; capacity: number };
  bytes: number;
  capacityBytes: number | null;
}

/** State of a server. */
export interface TopUpstream {
  to: string;
  /** "up", "suspect" or "down"; "(down by hand)" if set by an operator. */
  state: string;
  rttMs: number | null;
  /** Null after a pause. */
  repliesPerSecond: number | null;
  failuresPerSecond: number | null;
}

/** Most frequent of each kind; empty unless requested. */
export interface TopLists {
  span: ListSpan;
  seconds: number;
  /** One query in so many is counted; failures and waits up to a limit. */
  sampledEvery: number;
  names: (TopCount & { name: string; type: string })[];
  clients: (TopCount & { address: string; name: string | null })[];
  /** At most four labels; the first is cut. */
  zones: (TopCount & { zone: string })[];
  failures: (TopCount & {
    name: string;
    type: string;
    rcode: string;
    /** Of the last, or "". */
    reason: string;
  })[];
  /** Longest first. */
  slow: TopSlow[];
}

/** Frequency: from `queries` to `queries + uncertain`. */
export interface TopCount {
  queries: number;
  perSecond: number;
  /** Earlier ones may have been forgotten. */
  uncertain: number;
}

/** A long wait. */
export interface TopSlow {
  name: string;
  type: string;
  waitedMs: number;
  client: string;
  clientName: string | null;
  rcode: string;
  source: string;
  /** Label, or "". */
  upstream: string;
}
