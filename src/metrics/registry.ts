import { bucketOf } from "../engine/buckets.ts";
import { METRICS, type MetricType } from "./catalog.ts";
import type { Labels, SeriesBook } from "./series.ts";

/** A number that only grows. */
export interface Counter {
  add(amount?: number): void;
}

/** A number that is set. */
export interface Gauge {
  set(value: number): void;
}

/** Counts values by size. */
export interface Histogram {
  observe(value: number): void;
}

/**
 * The control plane's own counters and gauges (those of the data planes lie in shared memory).
 *
 * Whoever counts something in the control plane is given the registry, asks it once for
 * `registry.counter("coredns_reload_failed_total")` and adds to that. The name must stand in
 * `catalog.ts`, and docs/metrics.md must say what it means. Asking for the same name and labels
 * again gives the same counter. `reset` forgets a metric's series, where labels change with what
 * they describe: `registry.reset("coredns_reload_version_info")`, then set the new one.
 */
export class MetricRegistry {
  readonly #cells = new Map<string, Cell>();
  readonly #collectors: ((book: SeriesBook) => void)[] = [];

  /** The counter with these labels, zero at first. */
  counter(name: string, labels: Labels = {}): Counter {
    const cell = this.#cell(name, "counter", labels);
    cell.values[0] ??= 0;
    return { add: (amount = 1) => void (cell.values[0]! += amount) };
  }

  /** The gauge with these labels; not exported until it is set. */
  gauge(name: string, labels: Labels = {}): Gauge {
    const cell = this.#cell(name, "gauge", labels);
    return { set: (value) => void (cell.values[0] = value) };
  }

  /** The histogram with these labels. */
  histogram(name: string, bounds: readonly number[], labels: Labels = {}): Histogram {
    const cell = this.#cell(name, "histogram", labels);
    cell.bounds = bounds;
    if (cell.values.length === 0) cell.values = new Array(bounds.length + 2).fill(0);
    return {
      observe: (value) => {
        cell.values[bucketOf(bounds, value)]!++;
        cell.values[bounds.length + 1]! += value;
      },
    };
  }

  /** Forgets every series of a metric. What was made of it before counts for nothing any more. */
  reset(name: string): void {
    for (const [key, cell] of this.#cells) if (cell.name === name) this.#cells.delete(key);
  }

  /** Has `collect` add series at every scrape: for what is cheaper to look up than to keep. */
  onScrape(collect: (book: SeriesBook) => void): void {
    this.#collectors.push(collect);
  }

  /** Adds everything to the series of a scrape. */
  collect(book: SeriesBook): void {
    for (const { name, labels, values, bounds } of this.#cells.values()) {
      if (bounds !== null) book.addHistogram(name, labels, { bounds, values, index: 0 });
      else if (values.length > 0) book.add(name, labels, values[0]!);
    }
    for (const collect of this.#collectors) collect(book);
  }

  #cell(name: string, type: MetricType, labels: Labels): Cell {
    const metric = METRICS.get(name);
    if (metric?.type !== type) {
      throw new TypeError(`Cannot make a ${type} of "${name}": the catalog has no such ${type}`);
    }
    const key = JSON.stringify([name, ...metric.labels.map((label) => labels[label] ?? "")]);
    let cell = this.#cells.get(key);
    if (cell === undefined) this.#cells.set(key, cell = { name, labels, values: [], bounds: null });
    return cell;
  }
}

interface Cell {
  readonly name: string;
  readonly labels: Labels;
  /** One value; or of a histogram the buckets, and the sum behind them. */
  values: number[];
  bounds: readonly number[] | null;
}
