/**
 * Limits of the HTTP servers, in bytes and milliseconds. A node has a few probes and scrapers;
 * other clients must neither keep those out nor cost memory.
 */
export const HTTP_LIMITS = {
  /** Connections an address: ten scrapers and probes, and room for what they leave behind. */
  connections: 64,
  leastConnections: 4,
  /** Age from which an idle connection may be closed for a new one: a probe needs time to ask. */
  graceMs: 10,
  headBytes: 8192,
  /** From accept, or from the first byte of a later request. */
  headMs: 5000,
  idleMs: 10_000,
  answerMs: 10_000,
  /** Unsent answers an address: a few of the largest scrapes. */
  queuedBytes: 8 * 2 ** 20,
  /** An unwanted body is read and dropped, since a reset could destroy the answer. */
  discardedBytes: 65_536,
  discardMs: 1000,
  /** Probes (/health, /ready) a turn of the event loop, over all addresses; each costs 0.1 ms. */
  probesATurn: 8,
  /**
   * Other answers, over all addresses: all of an address's connections within a second, in a tenth
   * of the thread's time.
   */
  pagesASecond: 100,
  pagesInARow: 32,
  acceptsATurn: 8,
  acceptPauseMs: 100,
};

/** The limits in force; tests shorten them. */
export type HttpLimits = typeof HTTP_LIMITS;
