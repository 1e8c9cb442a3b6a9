/**
 * Bounds of the HTTP servers. They are there for probes and scrapers, of which a node has a few;
 * whoever opens more than that must neither keep those out nor cost memory.
 */
export const HTTP_LIMITS = {
  /** Open connections an address: ten scrapers and probes, and room for what they leave behind. */
  connections: { default: 64, min: 4, max: 64 },
  /**
   * Age from which an idle connection may have to make way: a flood of new ones must leave a probe
   * the time to say what it wants.
   */
  graceMs: { default: 10, min: 0, max: 1000 },
  /** Octets of a request line with its headers, as nginx and Go's clients stay below. */
  headBytes: { default: 8192, min: 8192, max: 8192 },
  /** Time for a whole header: from accept, or from the first octet of a later request. */
  headMs: { default: 5000, min: 10, max: 60_000 },
  /** Time between two requests: more than most probes' period of ten seconds saves nothing. */
  idleMs: { default: 10_000, min: 10, max: 60_000 },
  /** Time to make and send an answer; Prometheus gives up after ten seconds as well. */
  answerMs: { default: 10_000, min: 10, max: 60_000 },
  /** Octets of answers an address that wait for slow readers: some scrapes of the largest kind. */
  queuedBytes: { default: 8 * 2 ** 20, min: 1, max: 2 ** 30 },
  /** Octets of an unwanted body that are read away, so that the answer is not lost to a reset. */
  discardedBytes: { default: 65_536, min: 0, max: 2 ** 20 },
  /** And how long that may take. */
  discardMs: { default: 1000, min: 10, max: 10_000 },
  /**
   * Answers to probes (/health, /ready) a turn of the event loop, over all addresses: each costs some
   * 0.1 ms, and the rest of the thread waits for no more than that.
   */
  probesATurn: { default: 8, min: 1, max: 64 },
  /**
   * Other answers a second, over all addresses, and how many at once after a pause. A node has some
   * scrapers that ask every few seconds; with every connection of an address waiting, the last of
   * them is answered within a second, and all of them together cost a tenth of the thread's time.
   */
  pagesASecond: { default: 100, min: 1, max: 10_000 },
  pagesInARow: { default: 32, min: 1, max: 1000 },
  /** Connections accepted in a row before others in the thread have their turn. */
  acceptsATurn: { default: 8, min: 1, max: 64 },
  /** Pause after an accept that failed: nearly always because descriptors have run out. */
  acceptPauseMs: { default: 100, min: 1, max: 10_000 },
} as const;

/** Bounds in force, for tests that cannot wait. */
export type HttpLimits = Record<keyof typeof HTTP_LIMITS, number>;

/** The bounds as they ship. */
export function defaultHttpLimits(): HttpLimits {
  const entries = Object.entries(HTTP_LIMITS).map(([name, bound]) => [name, bound.default]);
  return Object.fromEntries(entries) as HttpLimits;
}
