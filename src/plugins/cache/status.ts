import type { HandlerFacts, PluginStatus } from "../status.ts";
import type { CacheOptions } from "./options.ts";

/** Status of a `cache`. */
export interface CacheStatus {
  zones: string[];
  success: { entries: number; capacity: number };
  denial: { entries: number; capacity: number };
  bytes: number;
  capacityBytes: number | null;
  requests: number;
  hits: number;
  hitRatio: number | null;
  servedStale: number;
  prefetches: number;
  evictions: number;
}

const HEADS = ["CACHE", "ANSWERS", "DENIALS", "MEMORY", "QUERIES", "HITS", "STALE", "EVICTED"];

/** Status from a cache's counters. */
export const cacheStatus: PluginStatus<CacheOptions, CacheStatus> = {
  describe,
  heads: HEADS,
  numbers: HEADS.slice(1),
  rows: (status) => {
    const { success, denial, bytes, capacityBytes, hitRatio } = status;
    const limit = capacityBytes === null ? "" : ` of ${bytesText(capacityBytes)}`;
    return [[
      status.zones.join(" "),
      `${success.entries} of ${success.capacity}`,
      `${denial.entries} of ${denial.capacity}`,
      `${bytesText(bytes)}${limit}`,
      String(status.requests),
      hitRatio === null ? "-" : `${(100 * hitRatio).toFixed(1)} %`,
      String(status.servedStale),
      String(status.evictions),
    ]];
  },
};

function describe({ options, counters, servers }: HandlerFacts<CacheOptions>): CacheStatus {
  const { success, denial, capacityBytes } = options;
  const zones = options.zones.join(",");
  const of = (name: string, labels: Record<string, string> = {}) =>
    servers.reduce(
      (sum, server) => sum + counters(name, { server, zones, view: "", ...labels }),
      0,
    );
  const both = (name: string) => of(name, { type: "success" }) + of(name, { type: "denial" });
  const entries = (type: string) =>
    counters("coredns_cache_entries", { server: servers[0] ?? "", zones, view: "", type });
  const requests = of("coredns_cache_requests_total");
  const hits = both("coredns_cache_hits_total");
  return {
    zones: options.zones,
    success: { entries: entries("success"), capacity: success.capacity },
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

function bytesText(bytes: number): string {
  if (bytes < 2 ** 10) return `${bytes} B`;
  return bytes < 2 ** 20
    ? `${(bytes / 2 ** 10).toFixed(1)} KiB`
    : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
