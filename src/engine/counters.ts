/** Indices of the engine's own counters in the shared array. */
export const COUNTER = {
  /** Counts loops; if it stops, the control plane assumes a hang. */
  HEARTBEAT: 0,
  UDP_QUERIES: 1,
  TCP_QUERIES: 2,
  DROPPED: 3,
  REFUSED: 4,
  SHED: 5,
  STREAMS_REFUSED: 6,
  PANICS: 8,
  LOG_DROPPED: 9,
  LOG_SENT: 10,
  /** Set by the control plane. */
  LOG_WRITTEN: 11,
  PROBES: 12,
  WITHOUT_ROOM: 13,
  /** As `SHED`, because of the client's share. */
  SHED_SHARE: 20,
  /** UDP queries that had waited too long for an answer. */
  DISCARDED: 21,
  LIMITED: 22,
  SENDS_LOST: 23,
  /** Upstream replies to an idle UDP socket. */
  UNEXPECTED_UDP: 24,
  /** Upstream replies over a stream with an unused id. */
  UNEXPECTED_TCP: 25,
  /** UDP queries to upstreams that the kernel rejected. */
  QUERIES_LOST: 26,
  PROBES_TCP: 27,
  /** Queries lost because the channel to the TLS thread was full. */
  TLS_UNSENT: 28,
} as const;

/** For plugins. */
const FIRST_FREE = 32;
/** Doubles at the end for whatever finds no space; more than any histogram has. */
const WASTE = 32;

/** Name, labels and index of a plugin's counter, gauge or histogram. */
export interface CounterPlace {
  name: string;
  labels: Record<string, string>;
  index: number;
  bounds?: readonly number[];
}

/** Counters in shared memory, each a double with one writer. `places` describes them. */
export class CounterBook {
  readonly values: Float64Array<SharedArrayBuffer>;
  readonly places: CounterPlace[] = [];
  readonly #byKey = new Map<string, number>();
  #next = FIRST_FREE;

  /** @param known - places allocated in the same buffer by the previous data plane */
  constructor(buffer: SharedArrayBuffer, known: readonly CounterPlace[] = []) {
    this.values = new Float64Array(buffer);
    for (const place of known) {
      this.places.push(place);
      this.#byKey.set(keyOf(place.name, place.labels), place.index);
      this.#next = Math.max(this.#next, place.index + sizeOf(place.bounds));
    }
    // Indices that the previous data plane allocated without reporting them are free again.
    if (known.length > 0) this.values.fill(0, this.#next);
  }

  counter(name: string, labels: Readonly<Record<string, string>> = {}): number {
    return this.histogram(name, labels);
  }

  /** Index of the first bucket of a histogram; without bounds, of a counter. */
  histogram(
    name: string,
    labels: Readonly<Record<string, string>>,
    bounds?: readonly number[],
  ): number {
    const key = keyOf(name, labels);
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const size = sizeOf(bounds);
    const limit = this.values.length - WASTE;
    const fits = this.#next + size <= limit;
    const index = fits ? this.#next : limit;
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

function sizeOf(bounds: readonly number[] | undefined): number {
  return bounds === undefined ? 1 : bounds.length + 2;
}
