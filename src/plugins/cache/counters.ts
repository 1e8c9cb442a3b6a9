import type { EngineServices } from "../../engine/handler.ts";

/** Places of a cache's counters; which is which stands in README.md. */
export class CacheCounters {
  readonly requests: number;
  readonly misses: number;
  readonly hitsSuccess: number;
  readonly hitsDenial: number;
  readonly servedStale: number;
  readonly prefetches: number;
  readonly drops: number;
  readonly entriesSuccess: number;
  readonly entriesDenial: number;
  readonly evictionsSuccess: number;
  readonly evictionsDenial: number;
  readonly arenaBytes: number;
  readonly bytes: number;

  constructor(engine: EngineServices, zones: readonly string[]) {
    const label = zones.join(",");
    const counter = (name: string, labels: Record<string, string> = {}) =>
      engine.counter(name, { zones: label, ...labels });
    this.requests = counter("coredns_cache_requests_total");
    this.misses = counter("coredns_cache_misses_total");
    this.hitsSuccess = counter("coredns_cache_hits_total", { type: "success" });
    this.hitsDenial = counter("coredns_cache_hits_total", { type: "denial" });
    this.servedStale = counter("coredns_cache_served_stale_total");
    this.prefetches = counter("coredns_cache_prefetch_total");
    this.drops = counter("coredns_cache_drops_total");
    this.entriesSuccess = counter("coredns_cache_entries", { type: "success" });
    this.entriesDenial = counter("coredns_cache_entries", { type: "denial" });
    this.evictionsSuccess = counter("coredns_cache_evictions_total", { type: "success" });
    this.evictionsDenial = counter("coredns_cache_evictions_total", { type: "denial" });
    this.arenaBytes = counter("nodens_cache_arena_bytes");
    this.bytes = counter("nodens_cache_bytes");
  }
}
