/** Samples of Prometheus' text format: series with labels → value. */
export type Samples = ReadonlyMap<string, number>;

export function parseSamples(text: string): Samples {
  const samples = new Map<string, number>();
  for (const line of text.split("\n")) {
    const space = line.lastIndexOf(" ");
    if (line.startsWith("#") || space < 0) continue;
    samples.set(line.slice(0, space), Number(line.slice(space + 1)));
  }
  return samples;
}

/** Sum of the series of a metric, whose labels have all these values. */
export function sum(samples: Samples, name: string, labels: Record<string, string> = {}): number {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  let total = 0;
  for (const [series, value] of samples) {
    if (series !== name && !series.startsWith(`${name}{`)) continue;
    if (wanted.every((label) => series.includes(label))) total += value;
  }
  return total;
}

/** What was added to the series of these metrics. */
export function growth(
  before: Samples,
  after: Samples,
  names: readonly string[],
): Record<string, number> {
  const grown: Record<string, number> = {};
  for (const [series, value] of after) {
    if (!names.some((name) => series === name || series.startsWith(`${name}{`))) continue;
    const more = value - (before.get(series) ?? 0);
    if (more !== 0) grown[series] = more;
  }
  return grown;
}
