import type { Scenario } from "./scenarios.ts";
import { type Outcome, type Span, spanOf } from "./outcome.ts";

/** One run with its failure and outcomes. */
export interface Run {
  readonly server: string;
  readonly scenario: Scenario;
  /** Failed upstreams of the two. */
  readonly failing: 1 | 2;
  readonly outcomes: readonly Outcome[];
  /** Start of the failure since the first query. */
  readonly failedAtMs: number;
}

/** Time allowed for detecting the failure. */
export const FIRST_MS = 1_000;
/** Promised with one of two upstreams dead, after the first second. */
export const P99_LIMIT_MS = 50;

const HEADINGS = [
  "upstreams",
  "server",
  "sent",
  "answered",
  "error code",
  "lost",
  "before: p50 / p99 / max",
  "first second: p50 / p99 / max",
  "after: p50 / p99 / max",
];

/** The table in Markdown; times in milliseconds. */
export function formatRuns(runs: readonly Run[]): string {
  const cells = [HEADINGS, ...runs.map(row)];
  const widths = HEADINGS.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)));
  const lines = cells.map((line) =>
    `| ${
      line.map((cell, i) => i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join(" | ")
    } |`
  );
  const rule = widths.map((width, i) => i < 2 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`);
  lines.splice(1, 0, `| ${rule.join(" | ")} |`);
  return lines.join("\n");
}

/** Spans of a run. */
export function spansOf({ outcomes, failedAtMs }: Run): Record<
  "all" | "before" | "first" | "after",
  Span
> {
  return {
    all: spanOf(outcomes, 0, Infinity),
    before: spanOf(outcomes, 0, failedAtMs),
    first: spanOf(outcomes, failedAtMs, failedAtMs + FIRST_MS),
    after: spanOf(outcomes, failedAtMs + FIRST_MS, Infinity),
  };
}

function row(run: Run): string[] {
  const { all, before, first, after } = spansOf(run);
  return [
    `${run.failing === 1 ? "one" : "both"} ${run.scenario.name}`,
    run.server,
    ...[all.sent, all.answered, all.failed, all.lost].map(String),
    ...[before, first, after].map(({ p50Ms, p99Ms, maxMs }) =>
      [p50Ms, p99Ms, maxMs].map(milliseconds).join(" / ")
    ),
  ];
}

function milliseconds(value: number): string {
  if (Number.isNaN(value)) return "–";
  return value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en-US");
}

/** Verdict on nodens' promise, and whether a query broke it. */
export function judgeRun(run: Run): { line: string; failed: boolean } | null {
  if (run.server !== "nodens" || run.failing !== 1) return null;
  const { all, after } = spansOf(run);
  const failed = all.sent === 0 || all.answered < all.sent;
  const verdict = failed ? "NOT MET" : "met";
  const lines = [
    `- ${verdict}: one ${run.scenario.name}: ${all.failed + all.lost} of ${all.sent} failed, ` +
    "expected none",
  ];
  if (run.scenario.dead) {
    lines.push(
      `- ${after.p99Ms < P99_LIMIT_MS ? "met" : "NOT MET"}: one ${run.scenario.name}: p99 ` +
        `${milliseconds(after.p99Ms)} ms after the first second, expected under ${P99_LIMIT_MS} ms`,
    );
  }
  return { line: lines.join("\n"), failed };
}
