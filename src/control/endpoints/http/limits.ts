/**
 * HTTP limits in bytes and milliseconds. A node has a few probes and scrapers, which other clients
 * must not crowd out.
 */
export const HTTP_LIMITS = {
  /** Connections per address: ten scrapers and probes, and what they leave behind. */
  connections: 64,
  leastConnections: 4,
  /** Idle time before a connection may be closed for a new one. */
  graceMs: 10,
  headBytes: 8192,
  /** From accept, or from the first byte of a later request. */
  headMs: 5000,
  idleMs: 10_000,
  answerMs: 10_000,
  /** Unsent answers per address: a few of the largest scrapes. */
  queuedBytes: 8 * 2 ** 20,
  /** Unwanted body to drain, since a reset could destroy the answer. */
  discardedBytes: 65_536,
  discardMs: 1000,
  /** Probes (/health, /ready) per turn of the event loop, over all addresses; each costs 0.1 ms. */
  probesATurn: 8,
  /**
   * Other answers, over all addresses: all connections of an address within a second, in a tenth of
   * the thread's time.
   */
  pagesASecond: 100,
  pagesInARow: 32,
  acceptsATurn: 8,
  acceptPauseMs: 100,
};

/** HTTP limits; tests shorten them. */
export type HttpLimits = typeof HTTP_LIMITS;
