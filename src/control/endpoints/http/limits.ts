/** HTTP limits: clients must not crowd out probes and scrapers. */
export const HTTP_LIMITS = {
  /** Per address: ten scrapers and probes, and their leftovers. */
  connections: 64,
  leastConnections: 4,
  /** Minimum idle time before eviction. */
  graceMs: 10,
  headBytes: 8192,
  /** From accept, or a later request's first byte. */
  headMs: 5000,
  idleMs: 10_000,
  answerMs: 10_000,
  /** Per address: a few of the largest scrapes. */
  queuedBytes: 8 * 2 ** 20,
  /** Unwanted body to drain: a reset could destroy the answer. */
  discardedBytes: 65_536,
  discardMs: 1000,
  /** Probes per turn, over all addresses; each costs 0.1 ms. */
  probesATurn: 8,
  /** Other answers, over all addresses: a tenth of the thread's time. */
  pagesASecond: 100,
  pagesInARow: 32,
  acceptsATurn: 8,
  acceptPauseMs: 100,
};

/** HTTP limits; tests shorten them. */
export type HttpLimits = typeof HTTP_LIMITS;
