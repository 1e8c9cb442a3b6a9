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
  /** Exceptions caught in the data plane: each is a fault of nodens. */
  PANICS: 8,
  /** Log lines lost because the log could not be written fast enough. */
  LOG_DROPPED: 9,
  /** Bytes of log lines handed to the control plane. */
  LOG_SENT: 10,
  /** Bytes of log lines that the control plane has written; it alone sets this one. */
  LOG_WRITTEN: 11,
  /** Queries of nodens's own (`question/probe.ts`) over UDP, answered. */
  PROBES: 12,
  /** Counters that found no room. */
  WITHOUT_ROOM: 13,
  /** Queries that could not wait because their client had its share of those that may. */
  SHED_SHARE: 20,
  /** UDP queries not answered because they had waited for too long. */
  DISCARDED: 21,
  /** Large UDP responses sent truncated because too many went to that network. */
  LIMITED: 22,
  /** UDP responses that the kernel did not take. */
  SENDS_LOST: 23,
  /** Replies of upstreams to nothing that waits: by a UDP socket at rest. */
  UNEXPECTED_UDP: 24,
  /** The same by a stream: with an id that is not in use. */
  UNEXPECTED_TCP: 25,
  /** UDP queries to upstreams that the kernel had no room for. */
  QUERIES_LOST: 26,
  /** As `PROBES`, over TCP. */
  PROBES_TCP: 27,
  /** Queries to upstreams over TLS that found the way to the thread for TLS full. */
  TLS_UNSENT: 28,
} as const;

/** First place that plugins are given. */
const FIRST_FREE = 32;
/** Doubles at the end for whatever finds no room; more than any histogram has. */
const WASTE = 32;

/** Where a counter, gauge or histogram of a plugin lies. */
export interface CounterPlace {
  name: string;
  labels: Record<string, string>;
  index: number;
  /** Upper bounds of a histogram's buckets (`buckets.ts` says how it lies). */
  bounds?: readonly number[];
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
  #next = FIRST_FREE;

  /** @param known - places that a data plane before this one has given out in the same buffer */
  constructor(buffer: SharedArrayBuffer, known: readonly CounterPlace[] = []) {
    this.values = new Float64Array(buffer);
    for (const place of known) {
      this.places.push(place);
      this.#byKey.set(keyOf(place.name, place.labels), place.index);
      this.#next = Math.max(this.#next, place.index + sizeOf(place.bounds));
    }
    // Indices that the data plane before gave out and did not report are free again.
    if (known.length > 0) this.values.fill(0, this.#next);
  }

  /** Index of the counter; the last ones in the buffer serve all that find no room. */
  counter(name: string, labels: Readonly<Record<string, string>> = {}): number {
    return this.#place(name, labels);
  }

  /** Index of the first bucket of a histogram. */
  histogram(
    name: string,
    labels: Readonly<Record<string, string>>,
    bounds: readonly number[],
  ): number {
    return this.#place(name, labels, bounds);
  }

  #place(
    name: string,
    labels: Readonly<Record<string, string>>,
    bounds?: readonly number[],
  ): number {
    const key = keyOf(name, labels);
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const size = sizeOf(bounds);
    const room = this.values.length - WASTE;
    const fits = this.#next + size <= room;
    const index = fits ? this.#next : room;
    this.#byKey.set(key, index);
    if (fits) {
      this.#next += size;
      this.places.push({ name, labels: { ...labels }, index, ...bounds && { bounds } });
    } else {
      this.values[COUNTER.WITHOUT_ROOM]!++;
    }
    return index;
  }
}

function keyOf(name: string, labels: Readonly<Record<string, string>>): string {
  return JSON.stringify([name, Object.entries(labels).sort()]);
}

/** Doubles that a counter (without bounds) or a histogram takes. */
function sizeOf(bounds: readonly number[] | undefined): number {
  return bounds === undefined ? 1 : bounds.length + 2;
}
