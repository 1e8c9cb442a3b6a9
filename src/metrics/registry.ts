import { bucketOf } from "../engine/buckets.ts";
import type { CounterSeries } from "../engine/counters.ts";
import { METRICS, type MetricType } from "./catalog.ts";
import type { Labels, SeriesBook } from "./series.ts";

interface Cell {
  readonly series: CounterSeries;
  /** Empty until set. */
  readonly values: number[];
}

/** The control plane's metrics, one series per name and labels. */
export class MetricRegistry {
  readonly #cells = new Map<string, Cell>();
  readonly #collectors: ((book: SeriesBook) => void)[] = [];

  /** Throws `TypeError` for an unknown counter. */
  counter(name: string, labels: Labels = {}): { add(amount?: number): void } {
    const { values } = this.#cell(name, "counter", labels);
    values[0] ??= 0;
    return { add: (amount = 1) => void (values[0]! += amount) };
  }

  /** Exported once set. */
  gauge(name: string, labels: Labels = {}): { set(value: number): void } {
    const { values } = this.#cell(name, "gauge", labels);
    return { set: (value) => void (values[0] = value) };
  }

  histogram(name: string, bounds: readonly number[]): { observe(value: number): void } {
    const { values } = this.#cell(name, "histogram", {}, bounds);
    return {
      observe: (value) => {
        values[bucketOf(bounds, value)]!++;
        values[bounds.length + 1]! += value;
      },
    };
  }

  reset(name: string): void {
    for (const [key, cell] of this.#cells) if (cell.series.name === name) this.#cells.delete(key);
  }

  onScrape(collect: (book: SeriesBook) => void): void {
    this.#collectors.push(collect);
  }

  collect(book: SeriesBook): void {
    for (const { series, values } of this.#cells.values()) {
      if (values.length > 0) book.addSeries([series], values);
    }
    for (const collect of this.#collectors) collect(book);
  }

  #cell(name: string, type: MetricType, labels: Labels, bounds?: readonly number[]): Cell {
    const metric = METRICS.get(name);
    if (metric?.type !== type) {
      throw new TypeError(`Cannot make a ${type} of "${name}": the catalog has no such ${type}`);
    }
    const key = JSON.stringify([name, ...metric.labels.map((label) => labels[label] ?? "")]);
    const values = new Array<number>(bounds === undefined ? 0 : bounds.length + 2).fill(0);
    const series = { name, labels, index: 0, ...bounds && { bounds } };
    return this.#cells.getOrInsert(key, { series, values });
  }
}
