/** Limits of clients' TCP streams (RFC 7766 section 6). */
export interface StreamLimits {
  streams: number;
  bytes: number;
  readMs: number;
  /** Interval over which the rate of a client with undelivered responses is measured. */
  writeMs: number;
  /** Time without a query after which a stream is closed. */
  idleMs: number;
  /** Queries per stream; -1 for any number. */
  queries: number;
  /** Waiting queries per stream; more are not read. */
  outstanding: number;
}

/** Defaults. The times are CoreDNS's; `bytes` is for a process without a known memory limit. */
export const STREAM_LIMITS: StreamLimits = {
  streams: 4096,
  bytes: 64 * 2 ** 20,
  readMs: 3000,
  writeMs: 5000,
  idleMs: 10_000,
  queries: -1,
  outstanding: 128,
};

/** Cost of a query that has to wait; a short answer from the cache costs one. */
export const WAIT_COST = 16;

/**
 * Cost of one stream's queries before the next stream is served. It covers the short answers to one
 * read of the Linux driver (2 KiB).
 */
export const QUANTUM = 96;

/** Cost of all streams' queries before datagrams are served: about half a millisecond. */
export const ROUND_QUANTUM = 1024;

/**
 * Cost of a query by the length of its answer, 0 if it waits. The kernel needs as long to send a
 * kibibyte as nodens for eight short answers.
 */
export function costOf(answerLength: number): number {
  return answerLength === 0 ? WAIT_COST : 1 + (answerLength >> 7);
}

/** Bytes queued for a slow reader above which no query is answered. */
export const QUEUED_BYTES = 16 * 1024;

/**
 * Bytes a second that a client must receive, on average over `writeMs`. A modem of 9,600 baud delivers
 * 1,200.
 */
export const MIN_RATE = 1024;

/**
 * Bytes in the kernel's buffer that are not counted. Most streams never have more, so the kernel need
 * not be asked for each response.
 */
export const UNCOUNTED_BYTES = 4096;

/** Share of the byte budget that a client may always use. */
export const ASSURED_SHARE = 1 / 64;

/** Label of the metric of closed streams. */
export const CLOSE_REASONS = ["idle", "slow", "budget", "share", "protocol", "broken"] as const;
/** One of `CLOSE_REASONS`. */
export type CloseReason = (typeof CLOSE_REASONS)[number];
