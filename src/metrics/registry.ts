import { bucketOf } from "../engine/buckets.ts";
import { METRICS, type MetricType } from "./catalog.ts";
import type { Labels, SeriesBook } from "./series.ts";

interface Cell {
  readonly name: string;
  readonly labels: Labels;
  /** For a histogram: buckets and sum. */
  readonly values: number[];
  readonly bounds: readonly number[] | null;
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

  histogram(
    name: string,
    bounds: readonly number[],
    labels: Labels = {},
  ): { observe(value: number): void } {
    const { values } = this.#cell(name, "histogram", labels, bounds);
    return {
      observe: (value) => {
        values[bucketOf(bounds, value)]!++;
        values[bounds.length + 1]! += value;
      },
    };
  }

  reset(name: string): void {
    for (const [key, cell] of this.#cells) if (cell.name === name) this.#cells.delete(key);
  }

  onScrape(collect: (book: SeriesBook) => void): void {
    this.#collectors.push(collect);
  }

  collect(book: SeriesBook): void {
    for (const { name, labels, values, bounds } of this.#cells.values()) {
      if (bounds !== null) book.addHistogram(name, labels, { bounds, values, index: 0 });
      else if (values.length > 0) book.add(name, labels, values[0]!);
    }
    for (const collect of this.#collectors) collect(book);
  }

  #cell(
    name: string,
    type: MetricType,
    labels: Labels,
    bounds: readonly number[] | null = null,
  ): Cell {
    const metric = METRICS.get(name);
    if (metric?.type !== type) {
      throw new TypeError(`Cannot make a ${type} of "${name}": the catalog has no such ${type}`);
    }
    const key = JSON.stringify([name, ...metric.labels.map((label) => labels[label] ?? "")]);
    const values = new Array<number>(bounds === null ? 0 : bounds.length + 2).fill(0);
    return this.#cells.getOrInsert(key, { name, labels, values, bounds });
  }
}
