/** A listener to probe. */
export interface ProbeTarget {
  readonly address: string;
  readonly port: number;
  /** SO_MARK that exempts the query from redirection; 0 for none. */
  readonly mark: number;
}

/** A probe query in progress. */
export interface ProbeSocket {
  answered(): boolean;
  close(): void;
}

/** Sends a probe query. Null on a temporary failure; throws on a permanent one. */
export type OpenProbe = (target: ProbeTarget) => ProbeSocket | null;

const MAX_PAUSE_MS = 32;

/** Pause between polls, after one of `beforeMs`. */
export function nextPause(beforeMs: number): number {
  return Math.min(Math.max(1, 2 * beforeMs), MAX_PAUSE_MS);
}
