/** Indices of the engine's counters in the shared array. */
export const COUNTER = {
  /** Counts loops, to detect hangs. */
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
  /** Written by the control plane. */
  LOG_WRITTEN: 11,
  PROBES: 12,
  WITHOUT_ROOM: 13,
  /** Over the client's share. */
  SHED_SHARE: 20,
  /** UDP queries that waited too long. */
  DISCARDED: 21,
  LIMITED: 22,
  SENDS_LOST: 23,
  /** Replies to idle UDP sockets. */
  UNEXPECTED_UDP: 24,
  /** Replies over a stream with an unused id. */
  UNEXPECTED_TCP: 25,
  /** Rejected by the kernel. */
  QUERIES_LOST: 26,
  PROBES_TCP: 27,
  /** The TLS thread's channel was full. */
  TLS_UNSENT: 28,
  /** The control plane may not know the last ones yet. */
  SERIES: 31,
} as const;

const FIRST_FREE = 32;
/** Scratch if full; larger than any histogram. */
const WASTE = 32;

/** A plugin's counter, gauge or histogram. */
export interface CounterSeries {
  name: string;
  labels: Record<string, string>;
  index: number;
  bounds?: readonly number[];
}

/** Counters in shared memory, one writer each. */
export class CounterBook {
  readonly values: Float64Array<SharedArrayBuffer>;
  readonly places: CounterSeries[] = [];
  readonly #byKey = new Map<string, number>();
  #next = FIRST_FREE;

  /** @param known - allocated by the previous data plane */
  constructor(buffer: SharedArrayBuffer, known: readonly CounterSeries[] = []) {
    this.values = new Float64Array(buffer);
    for (const place of known) {
      this.places.push(place);
      this.#byKey.set(keyOf(place.name, place.labels), place.index);
      this.#next = Math.max(this.#next, place.index + sizeOf(place.bounds));
    }
    // Free indices that the previous data plane never reported.
    if (known.length > 0) this.values.fill(0, this.#next);
    this.values[COUNTER.SERIES] = this.places.length;
  }

  counter(name: string, labels: Readonly<Record<string, string>> = {}): number {
    return this.histogram(name, labels);
  }

  /** Index of the first bucket, or of a counter. */
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
      this.values[COUNTER.SERIES] = this.places.push({
        ...{ name, labels: { ...labels }, index },
        ...bounds && { bounds },
      });
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
