import type { Event } from "./events.ts";
import { CATEGORIES } from "./names.ts";
import { PARAMETERS } from "./parameters.ts";
import type { Summary } from "./summary.ts";

/** Result of one behaviour in one event and cluster. */
export interface Run {
  readonly nodes: number;
  readonly behaviour: string;
  readonly event: Event;
  readonly summary: Summary;
}

interface Column {
  readonly heading: string;
  readonly cell: (summary: Summary) => string;
}

const STEADY: readonly Column[] = [
  { heading: "queries of pods/s", cell: ({ steady }) => count(steady.queries) },
  { heading: "at the cluster DNS/s", cell: ({ steady }) => count(steady.cluster) },
  { heading: "outside/s", cell: ({ steady }) => count(steady.outside) },
  { heading: "answered at once", cell: ({ steady }) => percent(steady.hits) },
  { heading: "lookup: median", cell: ({ steady }) => time(steady.medianMs) },
  { heading: "p99", cell: ({ steady }) => time(steady.p99Ms) },
];

const AFTER: readonly Column[] = [
  { heading: "peak after/s", cell: ({ after }) => count(after.peak) },
  { heading: "of steady", cell: ({ steady, after }) => times(after.peak / steady.cluster) },
  { heading: "back to usual", cell: ({ after }) => `${after.settled} s` },
];

const FIRST_MINUTE: readonly Column[] = [
  { heading: "first minute: answered at once", cell: ({ after }) => percent(after.hits) },
  { heading: "p99 of a lookup", cell: ({ after }) => time(after.p99Ms) },
];

const DURING: readonly Column[] = [
  { heading: "sent meanwhile/s", cell: ({ during }) => count(during.cluster) },
  { heading: "lookups failed", cell: ({ during }) => percent(during.failed) },
  { heading: "good, but over 5 s", cell: ({ during }) => percent(during.late) },
  { heading: "lookup: median", cell: ({ during }) => time(during.medianMs) },
  { heading: "p99", cell: ({ during }) => time(during.p99Ms) },
];

const DETAILS: Record<Event, { title: string; columns: readonly Column[] }> = {
  outage: {
    title: "An outage of the cluster DNS",
    columns: [...DURING, ...AFTER, {
      heading: "last failure",
      cell: ({ after }) => `${after.healed} s`,
    }],
  },
  restart: { title: "A restart of all nodes", columns: [...AFTER, ...FIRST_MINUTE] },
  update: {
    title: "A restart of all caches",
    columns: [...DURING.slice(0, 1), ...AFTER, ...FIRST_MINUTE],
  },
};

/** All tables of a run, in Markdown. */
export function formatTables(runs: readonly Run[]): string {
  const sizes = [...new Set(runs.map(({ nodes }) => nodes))].toSorted((a, b) => a - b);
  const largest = runs.filter(({ nodes }) => nodes === sizes.at(-1));
  const some = count(sizes.at(-1)!);
  const parts = [
    "### Queries a second at the cluster DNS, by nodes\n",
    bySize(runs, sizes, ({ event }) => event === "outage", ({ steady }) => steady.cluster),
    `### Steady state, ${some} nodes\n`,
    details(largest.filter(({ event }) => event === "outage"), STEADY),
    "Queries at the cluster DNS a second and node, by what is asked:\n",
    categories(largest.filter(({ event }) => event === "outage")),
  ];
  for (const [event, { title, columns }] of Object.entries(DETAILS)) {
    const those = largest.filter((run) => run.event === event);
    if (those.length === 0) continue;
    parts.push(`### ${title}, ${some} nodes\n`, details(those, columns));
    if (sizes.length === 1) continue;
    const ofEvent = (run: Run) => run.event === event;
    parts.push(
      "Peak after it, by nodes:\n",
      bySize(runs, sizes, ofEvent, ({ after }) => after.peak),
    );
  }
  parts.push(
    `### Nodes that one replica of the cluster DNS carries\n`,
    `At ${count(PARAMETERS.replicaPerSecond)} queries a second, all of it used:\n`,
    carries(largest),
  );
  return parts.join("\n");
}

function details(runs: readonly Run[], columns: readonly Column[]): string {
  return table([
    ["", ...columns.map(({ heading }) => heading)],
    ...runs.map((
      { behaviour, summary },
    ) => [behaviour, ...columns.map(({ cell }) => cell(summary))]),
  ]);
}

function bySize(
  runs: readonly Run[],
  sizes: readonly number[],
  chosen: (run: Run) => boolean,
  value: (summary: Summary) => number,
): string {
  const those = runs.filter(chosen);
  return table([
    ["nodes", ...sizes.map(count)],
    ...namesOf(those).map((name) => [
      name,
      ...those.filter(({ behaviour }) => behaviour === name).map(({ summary }) =>
        count(value(summary))
      ),
    ]),
  ]);
}

function categories(runs: readonly Run[]): string {
  return table([
    ["", ...CATEGORIES],
    ...runs.map(({ behaviour, nodes, summary: { steady } }) => [
      behaviour,
      ...CATEGORIES.map((name) => (steady.byCategory.get(name)! / nodes).toFixed(1)),
    ]),
  ]);
}

function carries(runs: readonly Run[]): string {
  const peaks: readonly Event[] = ["outage", "restart", "update"];
  return table([
    ["", "steady", "after an outage", "restart of nodes", "restart of caches"],
    ...namesOf(runs).map((name) => {
      const those = runs.filter(({ behaviour }) => behaviour === name);
      const { nodes, summary: { steady } } = those[0]!;
      const loads = peaks.map((event) =>
        those.find((run) => run.event === event)?.summary.after.peak
      );
      return [
        name,
        ...[steady.cluster, ...loads].map((load) =>
          load === undefined ? "–" : count(Math.floor(PARAMETERS.replicaPerSecond * nodes / load))
        ),
      ];
    }),
  ]);
}

function namesOf(runs: readonly Run[]): string[] {
  return [...new Set(runs.map(({ behaviour }) => behaviour))];
}

/** Formats a Markdown table with right-aligned numbers. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(3, ...rows.map((row) => row[i]!.length)));
  const lines = rows.map((row) =>
    `| ${
      row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join(
        " | ",
      )
    } |`
  );
  const rule = widths.map((width, i) => i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`);
  lines.splice(1, 0, `| ${rule.join(" | ")} |`);
  return `${lines.join("\n")}\n`;
}

/** Rounded to the precision of a simulation. */
function count(value: number): string {
  const rounded = value < 1000 ? Math.round(value) : Number(value.toPrecision(3));
  return rounded.toLocaleString("en-US");
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function times(ratio: number): string {
  return `${ratio.toFixed(1)} ×`;
}

function time(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;
}
