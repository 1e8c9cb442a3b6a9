/** Limits of clients' TCP streams (RFC 7766 section 6). */
export interface StreamLimits {
  streams: number;
  bytes: number;
  readMs: number;
  /** Interval over which `MIN_RATE` is measured. */
  writeMs: number;
  idleMs: number;
  /** Queries per stream; -1 for no limit. */
  queries: number;
  /** Above, no more are read. */
  outstanding: number;
}

/** Times are CoreDNS's; `bytes` is for unknown memory limits. */
export const STREAM_LIMITS: StreamLimits = {
  streams: 4096,
  bytes: 64 * 2 ** 20,
  readMs: 3000,
  writeMs: 5000,
  idleMs: 10_000,
  queries: -1,
  outstanding: 128,
};

/** A short cached answer costs one. */
export const WAIT_COST = 16;

/** Cost per stream and round: short answers to one read of 2 KiB. */
export const QUANTUM = 96;

/** Cost of all streams between datagrams: about half a millisecond. */
export const ROUND_QUANTUM = 1024;

/** A kibibyte costs as much as eight short answers; 0 while waiting. */
export function costOf(answerLength: number): number {
  return answerLength === 0 ? WAIT_COST : 1 + (answerLength >> 7);
}

/** Queued bytes above which queries wait. */
export const QUEUED_BYTES = 16 * 1024;

/** Minimum bytes a second, averaged over `writeMs`; a 9,600-baud modem gets 1,200. */
export const MIN_RATE = 1024;

/** In the kernel's buffer; saves most streams a system call per response. */
export const UNCOUNTED_BYTES = 4096;

/** Of the byte budget, guaranteed to each client. */
export const ASSURED_SHARE = 1 / 64;

/** Labels of a metric. */
export const CLOSE_REASONS = ["idle", "slow", "budget", "share", "protocol", "broken"] as const;
/** One of `CLOSE_REASONS`. */
export type CloseReason = (typeof CLOSE_REASONS)[number];
