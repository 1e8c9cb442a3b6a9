/** A listener to probe, as a client would query it. */
export interface ProbeTarget {
  readonly address: string;
  readonly port: number;
  /** SO_MARK of the query, which rules let pass while they redirect all others; 0 for none. */
  readonly mark: number;
}

/** A probe query in progress. */
export interface ProbeSocket {
  /** Whether the answer has come. Never blocks. */
  answered(): boolean;
  close(): void;
}

/**
 * Sends a probe query from a fresh port; null if nothing can be sent there now. Throws if this process
 * can never send one.
 */
export type OpenProbe = (target: ProbeTarget) => ProbeSocket | null;

const MAX_PAUSE_MS = 32;

/**
 * Time until the answer is polled again, after a pause of `beforeMs` (0 for none): most answers come
 * within a fraction of a millisecond, others take long.
 */
export function nextPause(beforeMs: number): number {
  return Math.min(Math.max(1, 2 * beforeMs), MAX_PAUSE_MS);
}
