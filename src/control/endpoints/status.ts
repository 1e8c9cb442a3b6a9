import type { BlockConfig, Config } from "../../config/types.ts";
import { COUNTER, type CounterPlace } from "../../engine/counters.ts";
import { servedZones } from "../../engine/served.ts";
import type { CacheOptions } from "../../plugins/cache/options.ts";
import type { ForwardOptions } from "../../plugins/forward/options.ts";
import type { ServerState } from "../../upstream/options.ts";

/** One data plane as `makeStatus` takes it. */
export interface PlaneFacts {
  /** The shared array of counters. */
  values: Float64Array;
  places: readonly CounterPlace[];
  /** Milliseconds since its loop came round last. */
  heartbeatAgeMs: number;
  /** How often its thread was replaced. */
  restarts: number;
  /** What each `forward` said of its upstreams, by `placeKey`; null where it did not answer. */
  upstreams: ReadonlyMap<string, readonly ServerState[]> | null;
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
  /** Null where there was none. */
  reload: ReloadStatus | null;
}

/** An upstream of one `forward`. */
export interface UpstreamStatus extends ServerState {
  /** Replies and failed attempts since the start, over all `forward` that use this server. */
  replies: number;
  failures: number;
}

/** One `cache`. */
export interface CacheStatus {
  zones: string[];
  success: { entries: number; capacity: number };
  denial: { entries: number; capacity: number };
  bytes: number;
  /** Null where there is no limit. */
  capacityBytes: number | null;
  requests: number;
  hits: number;
  /** Share of the requests that were answered from the cache, from 0 to 1; null before the first. */
  hitRatio: number | null;
  servedStale: number;
  prefetches: number;
  evictions: number;
}

/** One server block. */
export interface BlockStatus {
  /** Where it stands: `Corefile:3`. */
  place: string;
  zones: string[];
  cache: CacheStatus | null;
  forwards: { from: string; upstreams: UpstreamStatus[] }[];
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
    dataPlanes: planes.map(({ upstreams, heartbeatAgeMs, restarts }) => ({
      answers: upstreams !== null,
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

/** Values by name and labels, over all data planes. */
type Counters = (name: string, labels: Record<string, string>) => number;

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
  const status: BlockStatus = {
    place: `${block.file}:${block.line}`,
    zones: block.zones,
    cache: null,
    forwards: [],
  };
  block.plugins.forEach(({ name, options }, position) => {
    if (name === "cache") {
      status.cache = cacheStatus(options as CacheOptions, counters, servers);
    } else if (name === "forward") {
      const { from } = options as ForwardOptions;
      const key = placeKey(index, position);
      const states = planes.map(({ upstreams }) => upstreams?.get(key) ?? []);
      const upstreams = mergeStates(states).map((state) => ({
        ...state,
        replies: counters("nodens_upstream_replies_total", { to: state.to }),
        failures: counters("nodens_upstream_failures_total", { to: state.to }),
      }));
      status.forwards.push({ from, upstreams });
    }
  });
  return status;
}

function cacheStatus(
  options: CacheOptions,
  counters: Counters,
  servers: readonly string[],
): CacheStatus {
  const { success, denial, capacityBytes } = options;
  const zones = options.zones.join(",");
  /** Over the listeners, each of which is counted apart. */
  const of = (name: string, labels: Record<string, string> = {}) =>
    servers.reduce(
      (all, server) => all + counters(name, { server, zones, view: "", ...labels }),
      0,
    );
  // What is stored is the same for all of them.
  const entries = (type: string) => {
    const labels = { server: servers[0] ?? "", zones, view: "", type };
    return counters("coredns_cache_entries", labels);
  };
  const both = (name: string) => of(name, { type: "success" }) + of(name, { type: "denial" });
  const requests = of("coredns_cache_requests_total");
  const hits = both("coredns_cache_hits_total");
  return {
    zones: options.zones,
    success: {
      entries: entries("success"),
      capacity: success.capacity,
    },
    denial: { entries: entries("denial"), capacity: denial.capacity },
    bytes: counters("nodens_cache_bytes", { server: servers.join(","), zones }),
    capacityBytes: capacityBytes ?? null,
    requests,
    hits,
    hitRatio: requests === 0 ? null : hits / requests,
    servedStale: of("coredns_cache_served_stale_total"),
    prefetches: of("coredns_cache_prefetch_total"),
    evictions: both("coredns_cache_evictions_total"),
  };
}

const RANK: readonly ServerState["state"][] = ["up", "suspect", "down"];

/** The same upstreams as several data planes see them: the worst state, the mean time. */
function mergeStates(planes: readonly (readonly ServerState[])[]): ServerState[] {
  const merged = new Map<string, ServerState & { seen: number }>();
  for (const { to, state, rttMs } of planes.flat()) {
    const known = merged.get(to);
    const seen = rttMs === null ? 0 : 1;
    if (known === undefined) {
      merged.set(to, { to, state, rttMs, seen });
      continue;
    }
    if (RANK.indexOf(state) > RANK.indexOf(known.state)) known.state = state;
    if (rttMs === null) continue;
    known.rttMs = ((known.rttMs ?? 0) * known.seen + rttMs) / (known.seen + 1);
    known.seen++;
  }
  return [...merged.values()].map(({ to, state, rttMs }) => ({ to, state, rttMs }));
}
