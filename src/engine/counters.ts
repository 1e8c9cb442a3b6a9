/** Places of the engine's own counters in the shared array, so that the hot path needs no look-up. */
export const COUNTER = {
  /** Loops of the data plane; the control plane takes a standstill for a hang. */
  HEARTBEAT: 0,
  UDP_QUERIES: 1,
  TCP_QUERIES: 2,
  /** Messages that were no query: too short, or responses. */
  DROPPED: 3,
  /** Queries answered with an error before any plugin saw them. */
  REFUSED: 4,
  /** Queries that could not wait because too many did. */
  SHED: 5,
  STREAMS_REFUSED: 6,
  /** Streams closed for breaking a limit or the protocol. */
  STREAMS_BROKEN: 7,
  /** Exceptions caught in the data plane: each is a fault of nodens. */
  PANICS: 8,
  /** Log lines lost because the log could not be written fast enough. */
  LOG_DROPPED: 9,
  /** Bytes of log lines handed to the control plane. */
  LOG_SENT: 10,
  /** Bytes of log lines that the control plane has written; it alone sets this one. */
  LOG_WRITTEN: 11,
} as const;

/** First place that plugins are given. */
const FIRST_FREE = 32;

/** Where a counter of a plugin lies. */
export interface CounterPlace {
  name: string;
  labels: Record<string, string>;
  index: number;
}

/**
 * Counters in shared memory, each a double that one thread alone adds to.
 *
 * The data plane hands out places as handlers ask for them; `places` tells the control plane what
 * lies where.
 */
export class CounterBook {
  readonly values: Float64Array<SharedArrayBuffer>;
  readonly places: CounterPlace[] = [];
  readonly #byKey = new Map<string, number>();

  constructor(buffer: SharedArrayBuffer) {
    this.values = new Float64Array(buffer);
  }

  /** Index of the counter; the last one in the buffer serves all that find no room. */
  counter(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const key = JSON.stringify([name, Object.entries(labels).sort()]);
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const index = Math.min(FIRST_FREE + this.places.length, this.values.length - 1);
    this.#byKey.set(key, index);
    this.places.push({ name, labels: { ...labels }, index });
    return index;
  }
}
