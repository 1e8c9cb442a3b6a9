import { TLS_CLOSE_REASONS, type TlsCloseReason } from "./tls/context.ts";

/** Places in the memory in which the thread for TLS says how it is; it alone writes there. */
export const TLS_STAT = {
  /** Counts up some times a second. */
  BEAT: 0,
  STREAMS: 1,
  /** Bytes held for them. */
  HELD: 2,
  /** Memory of the thread's JavaScript. */
  HEAP: 3,
  /** Exceptions that it survived. */
  ERRORS: 4,
  /** Bytes that may be held. */
  LIMIT: 5,
  /** One for each of `TLS_CLOSE_REASONS`. */
  CLOSED: 6,
} as const;

/** Memory for the numbers, as doubles. */
export function tlsStatsMemory(): SharedArrayBuffer {
  const count = TLS_STAT.CLOSED + TLS_CLOSE_REASONS.length;
  return new SharedArrayBuffer(count * Float64Array.BYTES_PER_ELEMENT);
}

/** Place of the count of streams that were closed for a reason. */
export function closedPlace(reason: TlsCloseReason): number {
  return TLS_STAT.CLOSED + TLS_CLOSE_REASONS.indexOf(reason);
}
