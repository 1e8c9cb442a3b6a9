/** HTTP limits: clients must not crowd out probes. */
export const HTTP_LIMITS = {
  /** Per address: ten scrapers and probes. */
  connections: 64,
  leastConnections: 4,
  /** Idle time before eviction. */
  graceMs: 10,
  headBytes: 8192,
  /** From accept, or a later request's first byte. */
  headMs: 5000,
  idleMs: 10_000,
  answerMs: 10_000,
  /** Per address: some large scrapes. */
  queuedBytes: 8 * 2 ** 20,
  /** Drained: a reset could destroy the answer. */
  discardedBytes: 65_536,
  discardMs: 1000,
  /** Over all addresses; each costs 0.1 ms. */
  probesATurn: 8,
  /** Over all addresses: a tenth of the thread. */
  pagesASecond: 100,
  pagesInARow: 32,
  acceptsATurn: 8,
  acceptPauseMs: 100,
};

/** HTTP limits; tests shorten them. */
export type HttpLimits = typeof HTTP_LIMITS;
