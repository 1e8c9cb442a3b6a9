import { type Metric, METRICS } from "./catalog.ts";
import type { Labels, Series, SeriesBook } from "./series.ts";

/** Exposition formats. */
export type Format = "text" | "openmetrics";

/** Media types of the formats. */
export const MEDIA_TYPES: Readonly<Record<Format, string>> = {
  text: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/** Chooses a format by Accept (RFC 9110 section 12.5.1). */
export function chooseFormat(accept: string | null): Format {
  let best: Format = "text";
  let bestQuality = 0;
  for (const part of (accept ?? "").split(",")) {
    const [type, ...parameters] = part.split(";").map((word) => word.trim().toLowerCase());
    const quality = Number(parameters.find((word) => word.startsWith("q="))?.slice(2) ?? "1");
    const version = parameters.find((word) => word.startsWith("version="))?.slice(8) ?? "1.0.0";
    // OpenMetrics must be named; `*/*` gets the older format.
    const format = type === "application/openmetrics-text" && version.startsWith("1.")
      ? "openmetrics"
      : type === "text/plain" || type === "text/*" || type === "*/*"
      ? "text"
      : null;
    if (format === null || !(quality > bestQuality)) continue;
    best = format;
    bestQuality = quality;
  }
  return best;
}

/** Whether Accept-Encoding allows gzip. */
export function acceptsGzip(acceptEncoding: string | null): boolean {
  return (acceptEncoding ?? "").toLowerCase().split(",").some((part) => {
    const [coding, ...parameters] = part.split(";").map((word) => word.trim());
    return coding === "gzip" && !parameters.some((word) => /^q=0(\.0*)?$/.test(word));
  });
}

/** Formats all series in catalog order. */
export function expose(book: SeriesBook, format: Format): string {
  const lines: string[] = [];
  for (const metric of METRICS.values()) {
    const all = book.of(metric.name);
    if (all.length === 0) continue;
    // In OpenMetrics, a counter's family has no suffix.
    const family = format === "openmetrics" && metric.type === "counter"
      ? metric.name.replace(/_total$/, "")
      : metric.name;
    lines.push(`# HELP ${family} ${escape(metric.help, format === "openmetrics")}`);
    lines.push(`# TYPE ${family} ${metric.type}`);
    for (const series of all) {
      if (series.buckets === undefined) {
        lines.push(`${metric.name}${labelText(metric, series.labels)} ${number(series.value)}`);
      } else {
        pushHistogram(lines, metric, series, format);
      }
    }
  }
  if (format === "openmetrics") lines.push("# EOF");
  return `${lines.join("\n")}\n`;
}

function pushHistogram(lines: string[], metric: Metric, series: Series, format: Format): void {
  const { labels, bounds, buckets, value } = series;
  let count = 0;
  buckets!.forEach((inBucket, i) => {
    count += inBucket;
    const bound = bounds![i];
    const isInteger = format === "openmetrics" && Number.isInteger(bound);
    const le = isInteger ? `${bound}.0` : number(bound ?? Infinity);
    lines.push(`${metric.name}_bucket${labelText(metric, labels, le)} ${count}`);
  });
  lines.push(`${metric.name}_sum${labelText(metric, labels)} ${number(value)}`);
  lines.push(`${metric.name}_count${labelText(metric, labels)} ${count}`);
}

function labelText(metric: Metric, labels: Labels, le?: string): string {
  const pairs = metric.labels.map((name) => `${name}="${escape(labels[name] ?? "", true)}"`);
  if (le !== undefined) pairs.push(`le="${le}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escape(text: string, quotes: boolean): string {
  const escaped = text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return quotes ? escaped.replaceAll('"', '\\"') : escaped;
}

function number(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}
