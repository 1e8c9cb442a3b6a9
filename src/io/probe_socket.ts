/** A listener to probe, as a client would query it. */
export interface ProbeTarget {
  readonly address: string;
  readonly port: number;
  /** SO_MARK of the query, which rules let pass while they redirect all others; 0 for none. */
  readonly mark: number;
}

/** A probe query in progress. */
export interface ProbeSocket {
  answered(): boolean;
  close(): void;
}

/** Sends a probe query; null if that fails now, an exception if this process can never send one. */
export type OpenProbe = (target: ProbeTarget) => ProbeSocket | null;

const MAX_PAUSE_MS = 32;

/** Pause before the answer is polled again, after a pause of `beforeMs` (0 for none). */
export function nextPause(beforeMs: number): number {
  return Math.min(Math.max(1, 2 * beforeMs), MAX_PAUSE_MS);
}
