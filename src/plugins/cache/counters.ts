import type { EngineServices, HandlerEnvironment } from "../../engine/handler.ts";

/** Why a stale entry was served: the values of the label `reason`. */
export type StaleReason = "immediate" | "recheck" | "failure" | "timeout";

/** Places of a cache's counters for one listener; which is which stands in README.md. */
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

  constructor(engine: EngineServices, zones: readonly string[], server: string) {
    const shared = { server, zones: zones.join(","), view: "" };
    const counter = (name: string, labels: Record<string, string> = {}) =>
      engine.counter(name, { ...shared, ...labels });
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
  }
}

/** Places of the counters that a cache has once, and those of each listener. */
export class AllCacheCounters {
  readonly arenaBytes: number;
  readonly bytes: number;
  readonly malformedEntries: number;
  readonly stale: Readonly<Record<StaleReason, number>>;
  /** Of each listener of the server block, and for one that is not known. */
  readonly each: readonly CacheCounters[];
  readonly #byListener: CacheCounters[] = [];
  readonly #first: CacheCounters;

  constructor({ engine, served }: HandlerEnvironment, zones: readonly string[]) {
    const servers = new Map((served ?? []).map(({ listener, server }) => [listener, server]));
    for (const [listener, server] of servers) {
      this.#byListener[listener] = new CacheCounters(engine, zones, server);
    }
    this.each = servers.size > 0
      ? [...servers.keys()].map((listener) => this.#byListener[listener]!)
      : [new CacheCounters(engine, zones, "")];
    this.#first = this.each[0]!;
    const labels = { server: [...servers.values()].join(","), zones: zones.join(",") };
    const stale = (reason: StaleReason) =>
      engine.counter("nodens_cache_stale_total", { ...labels, reason });
    this.arenaBytes = engine.counter("nodens_cache_arena_bytes", labels);
    this.bytes = engine.counter("nodens_cache_bytes", labels);
    this.malformedEntries = engine.counter("nodens_cache_malformed_entries_total", labels);
    this.stale = {
      immediate: stale("immediate"),
      recheck: stale("recheck"),
      failure: stale("failure"),
      timeout: stale("timeout"),
    };
  }

  /** Those of a listener. */
  of(listener: number): CacheCounters {
    return this.#byListener[listener] ?? this.#first;
  }
}
