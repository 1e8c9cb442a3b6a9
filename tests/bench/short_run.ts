import { BEHAVIOURS } from "../../bench/cluster/behaviours.ts";
import type { Event } from "../../bench/cluster/events.ts";
import { TIMELINE, type Timeline } from "../../bench/cluster/parameters.ts";
import { type ClusterOptions, runCluster } from "../../bench/cluster/run.ts";
import { summarize, type Summary } from "../../bench/cluster/summary.ts";

/** Shorter than that of the tables, and long enough for every TTL that is kept. */
const SHORT: Timeline = {
  ...TIMELINE,
  steadyFrom: 40,
  eventFrom: 80,
  outage: 20,
  restart: 10,
  after: 30,
  nodesWithin: 5,
  podsWithin: 10,
};

/** Runs a cluster of ten nodes with that timeline, unless told otherwise. */
export function run(name: string, event: Event, options: Partial<ClusterOptions>): Summary {
  const behaviour = BEHAVIOURS.find((one) => one.name === name)!;
  const cluster = { nodes: 10, sample: 10, replicas: 2, seed: 1, timeline: SHORT, ...options };
  return summarize(runCluster(behaviour, { event, cluster }));
}
