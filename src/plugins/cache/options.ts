/** Limits of one class of responses. */
export interface CacheClassOptions {
  capacity: number;
  maxTtlSeconds: number;
  minTtlSeconds: number;
}

/** Options of `cache`. */
export interface CacheOptions {
  zones: string[];
  success: CacheClassOptions;
  denial: CacheClassOptions;
  /** `amount` 0 disables prefetching. */
  prefetch: { amount: number; durationMs: number; percentage: number };
  servfailMs: number;
  /** `["."]` for all. */
  disable: { success: string[]; denial: string[] };
  keepTtl: boolean;
  serveStale: ServeStaleOptions | null;
  preferPositive: boolean;
  capacityBytes: number | null;
  persist: { file: string; intervalMs: number } | null;
  /** Absent without. */
  keep?: PinnedName[];
  /** Zones of clusters; absent without. */
  searchCut?: string[];
  /** Keeps the content when all upstreams are replaced. */
  keepOnChange?: boolean;
}

/** A name whose answers stay in the cache. */
export interface PinnedName {
  /** Normalised. */
  name: string;
  types: number[];
}

/** Options of `serve_stale` (RFC 8767). */
export interface ServeStaleOptions {
  durationMs: number;
  mode: "immediate" | "verify";
  verifyTimeoutMs: number;
  responseTtlSeconds: number;
  /** Pause after a failed refresh; 0: as long as the failure is stored. */
  failureRecheckMs: number;
}

/** Whether a reload keeps the content. */
export function keepsContent(old: CacheOptions, next: CacheOptions): boolean {
  const bounded = (old.capacityBytes === null) === (next.capacityBytes === null);
  return bounded && JSON.stringify(essentials(old)) === JSON.stringify(essentials(next));
}

function essentials(options: CacheOptions): Partial<CacheOptions> {
  const { prefetch: _prefetch, persist: _persist, capacityBytes: _bytes, ...others } = options;
  const { keepOnChange: _change, keep: _keep, searchCut: _cut, ...rest } = others;
  return rest;
}
