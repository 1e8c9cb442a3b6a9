import type { BlockConfig, Config } from "../../config/types.ts";
import { COUNTER, type CounterPlace } from "../../engine/counters.ts";
import { servedZones } from "../../engine/served.ts";
import type { Counters } from "../../plugins/status.ts";
import { describePlugins, type PluginStatuses } from "../../plugins/statuses.ts";

/** One data plane as `makeStatus` takes it. */
export interface PlaneFacts {
  /** The shared array of counters. */
  values: Float64Array;
  places: readonly CounterPlace[];
  /** Milliseconds since its loop came round last. */
  heartbeatAgeMs: number;
  /** How often its thread was replaced. */
  restarts: number;
  /** What handlers have answered, by `placeKey`; null if the data plane did not answer. */
  answers: ReadonlyMap<string, unknown> | null;
}

/** How the last reload went. */
export interface ReloadStatus {
  /** When, in ISO 8601. */
  at: string;
  /** It was taken over. */
  ok: boolean;
  /** What was wrong with it, one a line of the log. */
  faults: string[];
}

/** All that a status is made of. */
export interface StatusFacts {
  version: string;
  pid: number;
  driver: string;
  /** When the process began, in milliseconds since 1970. */
  startedMs: number;
  nowMs: number;
  config: Config;
  planes: readonly PlaneFacts[];
  /** Lines that the control plane could not write. */
  droppedLogLines: number;
  /** Null if there was none. */
  reload: ReloadStatus | null;
}

/** One server block. */
export interface BlockStatus extends PluginStatuses {
  /** Where it stands: `Corefile:3`. */
  place: string;
  zones: string[];
}

/** What `/status` says and `nodens status --json` prints. */
export interface Status {
  version: string;
  pid: number;
  driver: string;
  corefile: string;
  startedAt: string;
  uptimeSeconds: number;
  dataPlanes: { answers: boolean; heartbeatAgeMs: number; restarts: number }[];
  panics: number;
  /** Those of clients: the queries by which nodens finds out whether it answers are not counted. */
  queries: { udp: number; tcp: number; refused: number; dropped: number; shed: number };
  log: { droppedLines: number };
  reload: ReloadStatus | null;
  /** `address` is empty for all addresses. */
  listeners: { address: string; port: number; zones: string[] }[];
  blocks: BlockStatus[];
}

/** Name of the handler at `position` of a block. */
export function placeKey(block: number, position: number): string {
  return `${block} ${position}`;
}

/** Makes the status of a running nodens out of what is known of it. */
export function makeStatus(facts: StatusFacts): Status {
  const { config, planes, nowMs, startedMs } = facts;
  const sum = (index: number) => planes.reduce((all, { values }) => all + values[index]!, 0);
  const counters = sumPlaces(planes);
  const served = servedZones(config);
  // Before the queries among which they are counted, so that no difference is below zero.
  const probes = { udp: sum(COUNTER.PROBES), tcp: sum(COUNTER.PROBES_TCP) };
  return {
    version: facts.version,
    pid: facts.pid,
    driver: facts.driver,
    corefile: config.file,
    startedAt: new Date(startedMs).toISOString(),
    uptimeSeconds: Math.max(0, Math.floor((nowMs - startedMs) / 1000)),
    dataPlanes: planes.map(({ answers, heartbeatAgeMs, restarts }) => ({
      answers: answers !== null,
      heartbeatAgeMs: Math.round(heartbeatAgeMs),
      restarts,
    })),
    panics: sum(COUNTER.PANICS),
    queries: {
      udp: sum(COUNTER.UDP_QUERIES) - probes.udp,
      tcp: sum(COUNTER.TCP_QUERIES) - probes.tcp,
      refused: sum(COUNTER.REFUSED),
      dropped: sum(COUNTER.DROPPED),
      shed: sum(COUNTER.SHED) + sum(COUNTER.SHED_SHARE),
    },
    log: { droppedLines: facts.droppedLogLines + sum(COUNTER.LOG_DROPPED) },
    reload: facts.reload,
    listeners: config.listeners.map(({ address, port, zones }) => ({
      address,
      port,
      zones: zones.map(({ zone }) => zone),
    })),
    blocks: config.blocks.map((block, index) => {
      const servers = new Map(served[index]!.map(({ listener, server }) => [listener, server]));
      return blockStatus({ block, index, planes, counters, servers: [...servers.values()] });
    }),
  };
}

function sumPlaces(planes: readonly PlaneFacts[]): Counters {
  const keyOf = (name: string, labels: Record<string, string>) =>
    JSON.stringify([name, Object.entries(labels).sort()]);
  const sums = new Map<string, number>();
  for (const { places, values } of planes) {
    for (const { name, labels, index } of places) {
      const key = keyOf(name, labels);
      sums.set(key, (sums.get(key) ?? 0) + values[index]!);
    }
  }
  return (name, labels) => sums.get(keyOf(name, labels)) ?? 0;
}

function blockStatus(
  { block, index, planes, counters, servers }: {
    block: BlockConfig;
    index: number;
    planes: readonly PlaneFacts[];
    counters: Counters;
    /** Its listeners, as labels name them. */
    servers: readonly string[];
  },
): BlockStatus {
  const statuses = describePlugins(block.plugins, (position) => ({
    counters,
    servers,
    answers: planes.map(({ answers }) => answers?.get(placeKey(index, position))),
  }));
  return { place: `${block.file}:${block.line}`, zones: block.zones, ...statuses };
}
