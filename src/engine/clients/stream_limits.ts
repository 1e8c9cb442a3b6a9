/** What clients may do over TCP (RFC 7766 section 6). */
export interface StreamLimits {
  /** Open streams in all. */
  streams: number;
  /** Bytes of memory that all streams' buffers may take. */
  bytes: number;
  /** Time for the first query to be in, whole. */
  readMs: number;
  /** Time over which the rate of a client that has responses waiting is measured. */
  writeMs: number;
  /** Time without a further whole query after which a stream is closed. */
  idleMs: number;
  /** Queries that one stream may bring; -1 for any number. */
  queries: number;
  /** Queries of one stream that may wait at a time; more are not read. */
  outstanding: number;
}

/** The times are CoreDNS's. `bytes` holds where the memory of the process has no known limit. */
export const STREAM_LIMITS: StreamLimits = {
  streams: 4096,
  bytes: 64 * 2 ** 20,
  readMs: 3000,
  writeMs: 5000,
  idleMs: 10_000,
  queries: -1,
  outstanding: 128,
};

/** What a query that has to wait costs its stream, where a short answer from the cache costs one. */
export const WAIT_COST = 16;

/**
 * Cost of the queries of one stream before the next stream has its turn. The short answers to
 * one read of the Linux driver (2 KiB) cost no more, unless names are shorter than two letters: a
 * turn that leaves something costs more time.
 */
export const TURN_COST = 96;

/** What those of all streams may cost before datagrams have their turn: about half a millisecond. */
export const ROUND_COST = 1024;

/**
 * Cost of a query of which the answer has this length; 0 for one that waits. To send a kibibyte takes
 * the kernel as long as eight short answers take nodens.
 */
export function costOf(answerLength: number): number {
  return answerLength === 0 ? WAIT_COST : 1 + (answerLength >> 7);
}

/** Bytes of responses that wait for a slow reader above which no query is answered. */
export const QUEUED_BYTES = 16 * 1024;

/**
 * Bytes a second that a client must take while responses wait for it, on average over `writeMs`. A
 * modem of 9,600 baud brings 1,200.
 */
export const MIN_RATE = 1024;

/**
 * Bytes in the kernel's buffer that are not counted for a stream. Most streams never have more, so
 * the kernel need not be asked for each response.
 */
export const UNCOUNTED_BYTES = 4096;

/** Part of the byte budget that a client may always take, however full it is. */
export const ASSURED_SHARE = 1 / 64;

/** Why nodens closed a client's stream, as the metric says it. */
export const CLOSE_REASONS = ["idle", "slow", "budget", "share", "protocol", "broken"] as const;
/** One of `CLOSE_REASONS`. */
export type CloseReason = (typeof CLOSE_REASONS)[number];
