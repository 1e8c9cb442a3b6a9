import type { CounterSeries } from "../engine/counters.ts";
import { METRICS } from "./catalog.ts";

/** Labels by name. */
export type Labels = Readonly<Record<string, string>>;

/** A series and its value. */
export interface Series {
  readonly labels: Labels;
  /** For a histogram: the sum. */
  value: number;
  /** Not cumulative; the last one exceeds all bounds. */
  buckets?: number[];
  readonly bounds?: readonly number[];
}

/** All series of a scrape, by metric. */
export class SeriesBook {
  readonly #metrics = new Map<string, Map<string, Series>>();

  add(name: string, labels: Labels, value: number): void {
    const series = this.#series(name, labels, () => ({ labels, value: NaN }));
    if (series === null || Number.isNaN(value)) return;
    const { merge } = METRICS.get(name)!;
    if (Number.isNaN(series.value)) series.value = value;
    else if (merge === "sum") series.value += value;
    else series.value = Math[merge](series.value, value);
  }

  /** Histograms are laid out as in `engine/buckets.ts`. */
  addSeries(all: readonly CounterSeries[], values: ArrayLike<number>): void {
    for (const { name, labels, index, bounds } of all) {
      if (bounds === undefined) {
        this.add(name, labels, values[index]!);
        continue;
      }
      const size = bounds.length + 1;
      const buckets = new Array<number>(size).fill(0);
      const series = this.#series(name, labels, () => ({ labels, value: 0, bounds, buckets }));
      if (series?.buckets === undefined) continue;
      for (let i = 0; i < size; i++) series.buckets[i]! += values[index + i]!;
      series.value += values[index + size]!;
    }
  }

  of(name: string): Series[] {
    return [...this.#metrics.get(name)?.values() ?? []].filter(({ value }) => !Number.isNaN(value));
  }

  #series(name: string, labels: Labels, make: () => Series): Series | null {
    const metric = METRICS.get(name);
    if (metric === undefined) return null;
    const key = JSON.stringify(metric.labels.map((label) => labels[label] ?? ""));
    return this.#metrics.getOrInsertComputed(name, () => new Map()).getOrInsertComputed(key, make);
  }
}
