/** A listener to probe. */
export interface ProbeTarget {
  readonly address: string;
  readonly port: number;
  /** SO_MARK of the query, exempt from redirection by rules; 0 for none. */
  readonly mark: number;
}

/** A probe query in progress. */
export interface ProbeSocket {
  answered(): boolean;
  close(): void;
}

/** Sends a probe query; null on a temporary failure, an exception on a permanent one. */
export type OpenProbe = (target: ProbeTarget) => ProbeSocket | null;

const MAX_PAUSE_MS = 32;

/** Pause before the next poll, after a pause of `beforeMs` (0 for none). */
export function nextPause(beforeMs: number): number {
  return Math.min(Math.max(1, 2 * beforeMs), MAX_PAUSE_MS);
}
