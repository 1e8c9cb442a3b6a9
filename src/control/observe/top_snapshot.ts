import type { ListName, ListSpan } from "../../engine/observe/requests.ts";

/** Lists that `top` can show. */
export const TOP_LISTS: readonly ListName[] = ["names", "clients", "zones", "failures", "slow"];

/** Spans that the lists can cover: one to two minutes, or up to an hour. */
export const TOP_SPANS: readonly ListSpan[] = ["minute", "hour"];

/** Request for a snapshot. */
export interface TopQuery {
  /** Others are empty. */
  lists: readonly ListName[];
  span: ListSpan;
  /** Entries of a list. */
  n: number;
}

/** All lists of the last minute. */
export const DEFAULT_TOP: TopQuery = { lists: TOP_LISTS, span: "minute", n: 10 };

/** What a serving nodens does now; JSON of the verb `top`. Names are in presentation format. */
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

/** Answers a second. */
export interface TopRates {
  /** Time that the rates are the mean of. */
  seconds: number;
  answers: number;
  /** Who answered: "cache", "stale", "upstream", a plugin's name, or "nodens". Largest first. */
  bySource: { source: string; perSecond: number }[];
  /** Null with `-top off`. "none": no answer was sent. Largest first. */
  byRcode: { rcode: string; perSecond: number }[] | null;
  /** Part of cache, stale and upstream that cache and stale have; null without such answers. */
  hitRatio: number | null;
}

/** Quantiles in milliseconds; null without queries. Answers without a wait count as 0. */
export interface TopQuantiles {
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

/** Time until an answer, in the last one or two minutes. */
export interface TopLatency {
  /** Time that is covered. */
  seconds: number;
  all: TopQuantiles;
  /** Only queries that had to wait, mostly for an upstream. */
  waited: TopQuantiles;
}

/** Content of a cache. */
export interface TopCache {
  zones: string[];
  success: { entries: number; capacity: number };
  denial: { entries: number; capacity: number };
  bytes: number;
  capacityBytes: number | null;
}

/** A server that is asked. */
export interface TopUpstream {
  to: string;
  /** "up", "suspect" or "down"; followed by "(down by hand)" if an operator has set it. */
  state: string;
  rttMs: number | null;
  /** Null in the first snapshot after a pause. */
  repliesPerSecond: number | null;
  failuresPerSecond: number | null;
}

/** The most frequent of each kind; a list that was not asked for is empty. */
export interface TopLists {
  span: ListSpan;
  /** Time that is covered. */
  seconds: number;
  /** One query of so many is counted, for so many; 1: each. Failures and waits: up to a limit. */
  sampledEvery: number;
  names: (TopCount & { name: string; type: string })[];
  /** `name`: who is behind the address, or null. */
  clients: (TopCount & { address: string; name: string | null })[];
  /** Names without their first label, at most four labels. */
  zones: (TopCount & { zone: string })[];
  failures: (TopCount & {
    name: string;
    type: string;
    rcode: string;
    /** Of the last one, or "". */
    reason: string;
  })[];
  /** Longest waits, longest first. */
  slow: TopSlow[];
}

/** Frequency of an entry. */
export interface TopCount {
  /** At least so many. */
  queries: number;
  perSecond: number;
  /** At most so many more: earlier ones may have been forgotten. */
  uncertain: number;
}

/** A query that waited long. */
export interface TopSlow {
  name: string;
  type: string;
  waitedMs: number;
  /** Address of the client. */
  client: string;
  /** Who is behind it, or null. */
  clientName: string | null;
  rcode: string;
  source: string;
  /** Label of the server, or "". */
  upstream: string;
}
