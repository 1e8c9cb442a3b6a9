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
