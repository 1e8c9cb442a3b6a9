import type { Event } from "./events.ts";
import { type Plot, type Series } from "./plot.ts";
import type { Result } from "./run.ts";
import type { Run } from "./tables.ts";

/** A run with series. */
export interface PlottedRun extends Run {
  readonly result: Result;
}

/** Seconds of steady state shown before the event. */
const BEFORE = 30;
const LOOKS: Record<string, number> = {
  "no node cache": 0,
  "node-cache": 1,
  "nodens": 2,
  "nodens, all": 3,
  "nodens, persist": 4,
};
/** Behaviours in most plots; all together are unreadable. */
const SHOWN = ["no node cache", "node-cache", "nodens", "nodens, all"];

/** Plots of a run by file name. */
export function plotsOf(runs: readonly PlottedRun[]): Map<string, Plot> {
  const most = Math.max(...runs.map(({ nodes }) => nodes));
  const at = `${most.toLocaleString("en-US")} nodes`;
  const largest = runs.filter(({ nodes }) => nodes === most);
  const plots = new Map<string, Plot>();
  if (most > Math.min(...runs.map(({ nodes }) => nodes))) {
    plots.set("steady.svg", {
      title: "Load on the cluster DNS in steady state",
      x: { label: "nodes", log: true },
      y: { label: "queries/s", log: true },
      series: seriesOf(
        SHOWN,
        (name) =>
          runs.filter(({ behaviour, event }) => behaviour === name && event === "outage")
            .map(({ nodes, summary }) => [nodes, summary.steady.cluster]),
      ),
    });
  }
  const load = ({ result: { measures, scale } }: PlottedRun, second: number) =>
    scale * measures.cluster[second]!;
  plots.set("outage_load.svg", {
    title: `Load on the cluster DNS around an outage of it, ${at}`,
    ...over(largest, "outage", { names: SHOWN, y: "queries/s", value: load, span: "silent" }),
  });
  plots.set("outage_failures.svg", {
    title: `Lookups that fail, by when they begin, ${at}`,
    ...over(largest, "outage", {
      names: SHOWN,
      y: "% of lookups",
      span: "silent",
      value: ({ result: { measures } }, second) =>
        measures.lookups[second] === 0
          ? 0
          : 100 * measures.failed[second]! / measures.lookups[second]!,
    }),
  });
  plots.set("restart_load.svg", {
    title: `Load on the cluster DNS around a restart of all nodes, ${at}`,
    ...over(largest, "restart", { names: SHOWN, y: "queries/s", value: load, span: "nodes down" }),
  });
  plots.set("update_load.svg", {
    title: `Load on the cluster DNS around a restart of all caches, ${at}`,
    ...over(largest, "update", {
      names: ["node-cache", "nodens", "nodens, persist"],
      y: "queries/s",
      value: load,
      span: "caches down",
    }),
  });
  return plots;
}

/** Values by second, from shortly before an event. */
function over(
  runs: readonly PlottedRun[],
  event: Event,
  { names, y, value, span }: {
    names: readonly string[];
    y: string;
    value: (run: PlottedRun, second: number) => number;
    span: string;
  },
): Omit<Plot, "title"> {
  const those = runs.filter((run) => run.event === event);
  const { timeline, overAt, endsAt } = those[0]!.result;
  const { eventFrom } = timeline;
  return {
    x: { label: "seconds since the event began" },
    y: { label: y },
    span: { from: 0, until: overAt - eventFrom, name: span },
    series: seriesOf(names, (name) => {
      const run = those.find(({ behaviour }) => behaviour === name)!;
      return Array.from({ length: endsAt - eventFrom + BEFORE }, (_, i) => [
        i - BEFORE,
        value(run, eventFrom + i - BEFORE),
      ]);
    }),
  };
}

function seriesOf(
  names: readonly string[],
  points: (name: string) => (readonly [number, number])[],
): Series[] {
  return names.map((name) => ({ name, look: LOOKS[name]!, points: points(name) }));
}
