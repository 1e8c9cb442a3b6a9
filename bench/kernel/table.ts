import { median } from "../measure.ts";

/** Figures of one load. */
export interface Figures {
  /** Of generator, server and the kernel's softirq threads. */
  cpuMicroseconds: number;
  /** In microseconds; 0 at full rate. */
  p50: number;
  p99: number;
  queriesPerSecond: number;
  lost: number;
}

/** Figures of a contender by rate, of all rounds; rate 0: as fast as it is answered. */
export type Rounds = ReadonlyMap<number, readonly Figures[]>;

const AGAINST_NODENS = 0.4;
const AGAINST_REFLECTION = { factor: 1.3, rate: 10_000 };

/** A Markdown table: CPU a query with the ratio to plain nodens, p50 and p99, rate and losses. */
export function formatFigures(results: ReadonlyMap<string, Rounds>): string {
  const names = [...results.keys()];
  const rates = [...new Set([...results.values()].flatMap((rounds) => [...rounds.keys()]))];
  const cells = [["", ...names]];
  const row = (title: string, rate: number, cell: (figures: Rounds, rate: number) => string) =>
    cells.push([title, ...names.map((name) => cell(results.get(name)!, rate))]);
  for (const rate of rates) {
    const at = rate === 0 ? "at full rate" : `at ${rate.toLocaleString("en-US")} qps`;
    row(`CPU µs a query ${at}`, rate, (rounds) => {
      const [cpu, plain] = [of(rounds, rate, "cpuMicroseconds"), cpuOf(results, "nodens", rate)];
      return `${number(cpu, 1)} (${number(cpu / plain, 2)})`;
    });
    if (rate === 0) {
      row("queries/s", rate, (rounds) => number(of(rounds, rate, "queriesPerSecond"), 0));
    } else {
      row(
        `p50 / p99 ${at}, µs`,
        rate,
        (rounds) => `${number(of(rounds, rate, "p50"), 0)} / ${number(of(rounds, rate, "p99"), 0)}`,
      );
    }
    row(`queries lost ${at}`, rate, (rounds) => number(of(rounds, rate, "lost"), 0));
  }
  const widths = cells[0]!.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)));
  const lines = cells.map((line) =>
    `| ${
      line.map((cell, i) => i ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)).join(" | ")
    } |`
  );
  const rule = widths.map((width, i) => "-".repeat(i ? width - 1 : width) + (i ? ":" : ""));
  lines.splice(1, 0, `| ${rule.join(" | ")} |`);
  return lines.join("\n");
}

/** One line a target. */
export function judgeTargets(results: ReadonlyMap<string, Rounds>): string[] {
  const rates = [...results.get("nodens, kernel hits")?.keys() ?? []];
  const lines = rates.map((rate) =>
    judge(results, rate, { against: "nodens", factor: AGAINST_NODENS })
  );
  const { factor, rate } = AGAINST_REFLECTION;
  if (rates.includes(rate)) lines.push(judge(results, rate, { against: "reflection", factor }));
  return lines;
}

function judge(
  results: ReadonlyMap<string, Rounds>,
  rate: number,
  { against, factor }: { against: string; factor: number },
): string {
  const ratio = cpuOf(results, "nodens, kernel hits", rate) / cpuOf(results, against, rate);
  const verdict = Number.isNaN(ratio) ? "not measured" : ratio <= factor ? "met" : "NOT MET";
  const at = rate === 0 ? "full rate" : `${rate.toLocaleString("en-US")} qps`;
  return `- ${verdict}: CPU at ${at}: ${number(ratio, 2)} of ${against}, target ${factor}`;
}

function cpuOf(results: ReadonlyMap<string, Rounds>, name: string, rate: number): number {
  return of(results.get(name), rate, "cpuMicroseconds");
}

function of(rounds: Rounds | undefined, rate: number, figure: keyof Figures): number {
  return median((rounds?.get(rate) ?? []).map((figures) => figures[figure]));
}

function number(value: number, digits: number): string {
  if (!Number.isFinite(value)) return "–";
  return value.toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}
