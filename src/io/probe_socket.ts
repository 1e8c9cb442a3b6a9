/** A listener that is asked whether it answers, as a client would ask it. */
export interface ProbeTarget {
  /** IP address. */
  readonly address: string;
  readonly port: number;
  /**
   * SO_MARK of the query, by which rules let it through while they turn everybody else's away; 0 for
   * none.
   */
  readonly mark: number;
}

/** Pauses between two looks for the answer to a probe, in milliseconds; see `nextPause`. */
const PAUSE_MS = { first: 1, longest: 32 } as const;

/**
 * Time until the next look for an answer, `beforeMs` being the time until the last one (0 for none).
 * The answer is there within a fraction of a millisecond, or it may take long.
 */
export function nextPause(beforeMs: number): number {
  return beforeMs === 0 ? PAUSE_MS.first : Math.min(2 * beforeMs, PAUSE_MS.longest);
}

/** One probe query under way. */
export interface ProbeSocket {
  /** Whether the answer has come. Never waits. */
  answered(): boolean;
  close(): void;
}

/**
 * Sends a probe query from a fresh port; null where nothing can be sent there now. Throws where no
 * probe can ever be sent from this process.
 */
export type OpenProbe = (target: ProbeTarget) => ProbeSocket | null;
