import { median } from "./measure.ts";
import type { FigureName, Figures } from "./session.ts";

/** The rounds of one server. */
export interface Column {
  name: string;
  peer: boolean;
  rounds: Figures[];
}

interface Row {
  title: string;
  figure: FigureName;
  digits: number;
}

function rows(hot: number, entries: number): Row[] {
  const [hotText, allText] = [hot, entries].map((count) => count.toLocaleString("en-US"));
  return [
    { title: "UDP hit, CPU µs a query", figure: "hitCpu", digits: 2 },
    { title: "UDP hit, queries/s", figure: "hitRate", digits: 0 },
    { title: "UDP hit, queries lost", figure: "hitLost", digits: 0 },
    { title: "UDP hit, CPU µs a query at 50,000 qps", figure: "hitSteadyCpu", digits: 2 },
    { title: "TCP hit, CPU µs a query", figure: "tcpHitCpu", digits: 2 },
    { title: "TCP hit, queries/s", figure: "tcpHitRate", digits: 0 },
    { title: "TCP hit, CPU µs a query at 50,000 qps", figure: "tcpHitSteadyCpu", digits: 2 },
    { title: "miss, CPU µs a query", figure: "missCpu", digits: 2 },
    { title: "miss, queries/s", figure: "missRate", digits: 0 },
    { title: "latency at 1,000 qps, µs", figure: "latency1k", digits: 0 },
    { title: "CPU µs a query at 1,000 qps", figure: "latency1kCpu", digits: 1 },
    { title: "latency at 10,000 qps, µs", figure: "latency10k", digits: 0 },
    { title: "CPU µs a query at 10,000 qps", figure: "latency10kCpu", digits: 1 },
    { title: `RSS at ${hotText} entries, MB`, figure: "residentHot", digits: 1 },
    { title: "… of it anonymous", figure: "anonymousHot", digits: 1 },
    { title: "… RSS 3 s later", figure: "residentHotSettled", digits: 1 },
    { title: "RSS after the UDP hit run, MB", figure: "residentAfterHits", digits: 1 },
    { title: `RSS at ${allText} entries, MB`, figure: "residentFull", digits: 1 },
    { title: "… of it anonymous", figure: "anonymousFull", digits: 1 },
    { title: "anonymous growth, bytes an entry", figure: "bytesPerEntry", digits: 0 },
    { title: "peak RSS, MB", figure: "residentPeak", digits: 1 },
    { title: "RSS at rest, MB", figure: "residentAtRest", digits: 1 },
    { title: "start to first answer, ms", figure: "startMs", digits: 0 },
    { title: "… on one core", figure: "startOneCoreMs", digits: 0 },
  ];
}

/** Median of one figure; NaN if not measured. */
export function medianOf(column: Column | undefined, figure: FigureName): number {
  const values =
    column?.rounds.map((round) => round[figure]).filter((value) =>
      value !== undefined && !Number.isNaN(value)
    ) ?? [];
  return median(values as number[]);
}

/** A Markdown table: figures by servers, ratios to the floor in brackets. */
export function formatTable(
  columns: readonly Column[],
  options: { hot: number; entries: number },
): string {
  const floor = columns.find(({ name }) => name === "floor");
  const cells = [["", ...columns.map(({ name }) => name)]];
  for (const { title, figure, digits } of rows(options.hot, options.entries)) {
    const base = medianOf(floor, figure);
    cells.push([
      title,
      ...columns.map((column) => {
        const value = medianOf(column, figure);
        if (Number.isNaN(value)) return "–";
        const text = value.toLocaleString("en-US", {
          minimumFractionDigits: digits,
          maximumFractionDigits: digits,
        });
        if (column === floor || !(base > 0)) return text;
        return `${text} (${(value / base).toFixed(2)})`;
      }),
    ]);
  }
  const widths = cells[0]!.map((_, i) => Math.max(...cells.map((row) => row[i]!.length)));
  const lines = cells.map((row) => `| ${row.map((cell, i) => pad(cell, i, widths)).join(" | ")} |`);
  const rule = widths.map((width, i) => "-".repeat(i === 0 ? width : width - 1) + (i ? ":" : ""));
  lines.splice(1, 0, `| ${rule.join(" | ")} |`);
  return lines.join("\n");
}

function pad(cell: string, column: number, widths: readonly number[]): string {
  return column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!);
}
