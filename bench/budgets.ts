import type { FigureName } from "./session.ts";
import { type Column, medianOf } from "./report.ts";

/** A limit, and whether the figure must be below every peer's. */
interface Budget {
  figure: FigureName;
  title: string;
  unit: string;
  /** In the unit of the figure. */
  limit: { floors: number } | { value: number } | { overheadBytes: number };
  belowPeers: boolean;
}

const BUDGETS: Budget[] = [
  {
    figure: "hitCpu",
    title: "UDP hit, CPU a query",
    unit: "µs",
    limit: { floors: 1.25 },
    belowPeers: true,
  },
  {
    figure: "hitSteadyCpu",
    title: "UDP hit, CPU a query at 50,000 qps",
    unit: "µs",
    limit: { floors: 1.25 },
    belowPeers: true,
  },
  {
    figure: "latency1k",
    title: "latency at 1,000 qps",
    unit: "µs",
    limit: { floors: 1.2 },
    belowPeers: false,
  },
  {
    figure: "missCpu",
    title: "miss, CPU a query",
    unit: "µs",
    limit: { value: 20 },
    belowPeers: true,
  },
  {
    figure: "tcpHitCpu",
    title: "TCP hit, CPU a query",
    unit: "µs",
    limit: { floors: 1.5 },
    belowPeers: false,
  },
  {
    figure: "tcpHitSteadyCpu",
    title: "TCP hit, CPU a query at 50,000 qps",
    unit: "µs",
    limit: { floors: 1.5 },
    belowPeers: false,
  },
  {
    figure: "residentHot",
    title: "RSS at the hot entries",
    unit: "MB",
    limit: { value: 60 },
    belowPeers: false,
  },
  {
    figure: "bytesPerEntry",
    title: "anonymous growth an entry (64 bytes + message)",
    unit: "bytes",
    limit: { overheadBytes: 64 },
    belowPeers: false,
  },
  {
    figure: "residentAtRest",
    title: "RSS at rest",
    unit: "MB",
    limit: { value: 48 },
    belowPeers: false,
  },
  {
    figure: "startMs",
    title: "start to first answer",
    unit: "ms",
    limit: { value: 120 },
    belowPeers: false,
  },
];

/** One line per budget: met, NOT MET, or not measured. */
export function judgeBudgets(columns: readonly Column[]): string[] {
  const nodens = columns.find(({ name }) => name === "nodens");
  if (nodens === undefined) return ["nodens was not measured, so no budget is judged."];
  const floor = columns.find(({ name }) => name === "floor");
  const peers = columns.filter(({ peer }) => peer);
  return BUDGETS.flatMap((budget) => {
    const measured = medianOf(nodens, budget.figure);
    // Zero or less indicates a failed measurement.
    const value = measured > 0 ? measured : NaN;
    const lines = [];
    const limit = limitOf(budget, floor, nodens);
    const bound = `at most ${limit.text} ${budget.unit}`;
    lines.push(line(budget, bound, value, limit.value, value <= limit.value));
    if (budget.belowPeers) {
      const best = Math.min(...peers.map((peer) => medianOf(peer, budget.figure)));
      const lowest = Number.isFinite(best) ? best : NaN;
      lines.push(line(budget, "below every peer", value, lowest, value < lowest));
    }
    return lines;
  });
}

function limitOf(
  budget: Budget,
  floor: Column | undefined,
  nodens: Column,
): { value: number; text: string } {
  const limit = budget.limit;
  if ("value" in limit) return { value: limit.value, text: String(limit.value) };
  if ("floors" in limit) {
    const value = limit.floors * medianOf(floor, budget.figure);
    return { value, text: `${limit.floors} × the floor = ${value.toFixed(2)}` };
  }
  const value = limit.overheadBytes + medianOf(nodens, "answerBytes");
  return { value, text: value.toFixed(0) };
}

function line(
  budget: Budget,
  bound: string,
  value: number,
  against: number,
  met: boolean,
): string {
  const verdict = Number.isNaN(value) || Number.isNaN(against)
    ? "not measured"
    : met
    ? "met"
    : "NOT MET";
  const measured = Number.isNaN(value) ? "–" : `${value.toFixed(2)} ${budget.unit}`;
  return `- ${verdict}: ${budget.title}: ${measured}, budget ${bound}`;
}
