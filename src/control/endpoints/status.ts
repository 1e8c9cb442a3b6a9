import type { Config } from "../../config/types.ts";
import { COUNTER } from "../../engine/counters.ts";
import { servedZones } from "../../engine/served.ts";
import type { Counters } from "../../plugins/status.ts";
import type { KernelHitsStatus } from "../../kernel/status.ts";
import { describePlugins } from "../../plugins/statuses.ts";
import type { DataPlane } from "../plane/data_plane.ts";
import { handlerKey } from "../plane/deliveries.ts";

/** Facts about one data plane. */
export interface PlaneFacts
  extends Pick<DataPlane, "values" | "places" | "heartbeatAgeMs" | "restarts"> {
  /** By `handlerKey`; null without an answer. */
  answers: ReadonlyMap<string, unknown> | null;
}

/** Outcome of a reload. */
export interface ReloadStatus {
  at: string;
  ok: boolean;
  faults: string[];
}

/** Input of `makeStatus`. Times are Unix milliseconds. */
export interface StatusFacts {
  version: string;
  pid: number;
  driver: string;
  reload: ReloadStatus | null;
  startedMs: number;
  nowMs: number;
  config: Config;
  planes: readonly PlaneFacts[];
  droppedLogLines: number;
  kernelHits: KernelHitsStatus;
}

/** JSON of `/status` and `nodens status --json`. */
export type Status = ReturnType<typeof makeStatus>;

/** Builds a `Status`. */
export function makeStatus(facts: StatusFacts) {
  const { version, pid, driver, reload, config, planes, nowMs, startedMs } = facts;
  const sum = (index: number) => planes.reduce((all, { values }) => all + values[index]!, 0);
  const counters = sumPlaces(planes);
  const served = servedZones(config);
  // Read first, so differences are not negative.
  const probes = { udp: sum(COUNTER.PROBES), tcp: sum(COUNTER.PROBES_TCP) };
  return {
    version,
    pid,
    driver,
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
    reload,
    kernelHits: facts.kernelHits,
    listeners: config.listeners.map(({ address, port, zones }) => ({
      address,
      port,
      zones: zones.map(({ zone }) => zone),
    })),
    blocks: config.blocks.map(({ file, line, zones, plugins }, block) => ({
      place: `${file}:${line}`,
      zones,
      ...describePlugins(plugins, (position) => ({
        counters,
        servers: [
          ...new Map(served[block]!.map(({ listener, server }) => [listener, server])).values(),
        ],
        answers: planes.map(({ answers }) => answers?.get(handlerKey({ block, position }))),
      })),
    })),
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

/** Keeps only the places of faults, which may quote a file imported by mistake. */
export function hideFaults(reload: ReloadStatus | null): ReloadStatus | null {
  return reload && { ...reload, faults: reload.faults.map(placeOfFault) };
}

function placeOfFault(fault: string): string {
  const place = /^([^\s:]+:\d+): /.exec(fault)?.[1];
  return `${place ?? "the new Corefile"}: the log says what is wrong`;
}
