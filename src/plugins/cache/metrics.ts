import { bucketOf } from "../../engine/buckets.ts";
import type { EngineServices, HandlerEnvironment } from "../../engine/handler.ts";
import type { CacheContent } from "./content.ts";

/** In seconds, to three days (RFC 8767 section 5). */
const STALE_AGES: readonly number[] = [1, 10, 60, 300, 1800, 3600, 14_400, 86_400, 259_200];

/** Values of the label `reason`. */
export type StaleReason = "immediate" | "recheck" | "failure" | "timeout" | "pinned";

/** Counter indices per listener; see README.md. */
export type CacheCounters = Readonly<ReturnType<typeof makeCounters>>;

/** Counters of a cache. */
export class CacheMetrics {
  readonly malformedEntries: number;
  readonly stale: Readonly<Record<StaleReason, number>>;
  readonly #staleAges: number;
  readonly #refreshesSaved: number;
  readonly #arenaBytes: number;
  readonly #bytes: number;
  readonly #content: CacheContent;
  readonly #values: Float64Array;
  readonly #each: readonly CacheCounters[];
  readonly #byListener: CacheCounters[] = [];
  #evictedSuccess: number;
  #evictedDenial: number;
  #refreshesUsed: number;
  #retired = false;
  #successor: CacheMetrics | null = null;

  constructor(
    { engine, served = [] }: HandlerEnvironment,
    zones: readonly string[],
    content: CacheContent,
  ) {
    this.#content = content;
    this.#values = engine.values;
    this.#evictedSuccess = content.success.evictions;
    this.#evictedDenial = content.denial.evictions + content.failures.evictions;
    this.#refreshesUsed = content.success.refreshesUsed + content.denial.refreshesUsed;
    const servers = new Map(served.map(({ listener, server }) => [listener, server]));
    for (const [listener, server] of servers) {
      this.#byListener[listener] = makeCounters(engine, zones, server);
    }
    this.#each = servers.size > 0
      ? [...servers.keys()].map((listener) => this.#byListener[listener]!)
      : [makeCounters(engine, zones, "")];
    const labels = { server: [...servers.values()].join(","), zones: zones.join(",") };
    const stale = (reason: StaleReason) =>
      engine.counter("nodens_cache_stale_total", { ...labels, reason });
    this.#arenaBytes = engine.counter("nodens_cache_arena_bytes", labels);
    this.#bytes = engine.counter("nodens_cache_bytes", labels);
    this.malformedEntries = engine.counter("nodens_cache_malformed_entries_total", labels);
    this.#refreshesSaved = engine.counter("nodens_cache_refresh_saved_total", labels);
    this.#staleAges = engine.histogram("nodens_cache_stale_age_seconds", labels, STALE_AGES);
    this.stale = {
      immediate: stale("immediate"),
      recheck: stale("recheck"),
      failure: stale("failure"),
      timeout: stale("timeout"),
      pinned: stale("pinned"),
    };
  }

  of(listener: number): CacheCounters {
    return this.#byListener[listener] ?? this.#each[0]!;
  }

  /** By time since expiry. */
  observeStale(seconds: number): void {
    this.#values[this.#staleAges + bucketOf(STALE_AGES, seconds)]!++;
    this.#values[this.#staleAges + STALE_AGES.length + 1]! += seconds;
  }

  /** Charges new evictions to `listener`. */
  publish(listener = -1): void {
    const { memory, success, denial, failures } = this.#content;
    if (!this.#retired) {
      this.#setSizes(success.size, denial.size + failures.size);
      this.#values[this.#arenaBytes] = memory.arena.sizeBytes;
      this.#values[this.#bytes] = memory.sizeBytes;
    }
    const own = this.of(listener);
    const denials = denial.evictions + failures.evictions;
    this.#values[own.evictionsSuccess]! += success.evictions - this.#evictedSuccess;
    this.#values[own.evictionsDenial]! += denials - this.#evictedDenial;
    this.#evictedSuccess = success.evictions;
    this.#evictedDenial = denials;
    const refreshesUsed = success.refreshesUsed + denial.refreshesUsed;
    this.#values[this.#refreshesSaved]! += refreshesUsed - this.#refreshesUsed;
    this.#refreshesUsed = refreshesUsed;
    this.#successor?.publish();
  }

  retire(successor: CacheMetrics | null = null): void {
    if (successor !== null) this.#successor = successor;
    if (this.#retired) return;
    this.#retired = true;
    this.#setSizes(0, 0);
    this.#values[this.#arenaBytes] = 0;
    this.#values[this.#bytes] = 0;
  }

  #setSizes(success: number, denial: number): void {
    for (let i = 0; i < this.#each.length; i++) {
      this.#values[this.#each[i]!.entriesSuccess] = success;
      this.#values[this.#each[i]!.entriesDenial] = denial;
    }
  }
}

function makeCounters(engine: EngineServices, zones: readonly string[], server: string) {
  const shared = { server, zones: zones.join(","), view: "" };
  const counter = (name: string, type: Record<string, string> = {}) =>
    engine.counter(name, { ...shared, ...type });
  const success = { type: "success" };
  const denial = { type: "denial" };
  return {
    requests: counter("coredns_cache_requests_total"),
    misses: counter("coredns_cache_misses_total"),
    hitsSuccess: counter("coredns_cache_hits_total", success),
    hitsDenial: counter("coredns_cache_hits_total", denial),
    servedStale: counter("coredns_cache_served_stale_total"),
    prefetches: counter("coredns_cache_prefetch_total"),
    drops: counter("coredns_cache_drops_total"),
    entriesSuccess: counter("coredns_cache_entries", success),
    entriesDenial: counter("coredns_cache_entries", denial),
    evictionsSuccess: counter("coredns_cache_evictions_total", success),
    evictionsDenial: counter("coredns_cache_evictions_total", denial),
  };
}
