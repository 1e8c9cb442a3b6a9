import type { KindReport } from "./client_report.ts";
import type { Verdict } from "./run.ts";

export interface Row {
  readonly name: string;
  readonly verdict: Verdict | string;
}

const HEADINGS = [
  "attack",
  "alive",
  "exit",
  "lost",
  "hits idle",
  "hits attacked",
  "misses idle",
  "misses attacked",
  "MiB",
  "promise",
];

/**
 * Formats attacks, one per line, with findings and nodens's counters below. Latencies are p50/p99
 * in milliseconds; "lost" is hits and misses of the other client; memory is the group's peak, and
 * that of TCP buffers if it is counted separately.
 */
export function table(rows: readonly Row[]): string {
  const cells = [HEADINGS, ...rows.map(row)];
  const widths = HEADINGS.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)));
  const lines = cells.map((line) => `| ${line.map((c, i) => c.padEnd(widths[i]!)).join(" | ")} |`);
  lines.splice(1, 0, `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`);
  return [...lines, "", ...rows.flatMap(details)].join("\n");
}

function row({ name, verdict }: Row): string[] {
  if (typeof verdict === "string") return [name, ...HEADINGS.slice(2).map(() => "-"), "not run"];
  const { outcome: { alive, code, idle, attacked, memory }, faults, slow } = verdict;
  const sockets = memory.sockets >= 1 ? ` + ${memory.sockets.toFixed()}` : "";
  return [
    name,
    alive ? "yes" : "no",
    String(code),
    `${attacked.hits.lost}+${attacked.misses.lost}`,
    latencies(idle.hits),
    latencies(attacked.hits),
    latencies(idle.misses),
    latencies(attacked.misses),
    `${memory.group.toFixed()}${sockets}`,
    faults.length > 0 ? "broken" : slow !== null ? "slow" : "kept",
  ];
}

function latencies({ p50, p99 }: KindReport): string {
  return `${p50.toFixed(2)}/${p99.toFixed(2)}`;
}

function details({ name, verdict }: Row): string[] {
  if (typeof verdict === "string") return [`${name}: ${verdict}`];
  const { outcome: { facts, counted, hitsAskedAgain, stopSeconds }, faults, slow } = verdict;
  const told = [
    ...Object.entries(facts).map(([key, value]) => `${key} ${value}`),
    ...(hitsAskedAgain > 0 ? [`hits asked again ${hitsAskedAgain}`] : []),
    ...(stopSeconds > 1 ? [`stopped in ${stopSeconds.toFixed(1)} s`] : []),
    ...Object.entries(counted).map(([key, value]) => `${key.slice(0, -"_total".length)} ${value}`),
  ];
  return [
    `${name}: ${told.join(", ") || "nothing to tell"}`,
    ...[...faults, ...(slow === null ? [] : [slow])].map((fault) => `  BROKEN: ${fault}`),
  ];
}
