/** Limits of one class of responses. */
export interface CacheClassOptions {
  /** Most entries kept. */
  capacity: number;
  maxTtlSeconds: number;
  minTtlSeconds: number;
}

/** Options of one `cache` directive. */
export interface CacheOptions {
  /** Zones it caches for, normalised. */
  zones: string[];
  success: CacheClassOptions;
  denial: CacheClassOptions;
  /** `amount` 0 turns prefetching off. */
  prefetch: { amount: number; durationMs: number; percentage: number };
  /** How long a SERVFAIL is kept; 0 turns that off. */
  servfailMs: number;
  /** Zones for which a class is not cached; `["."]` for all. */
  disable: { success: string[]; denial: string[] };
  keepTtl: boolean;
  /** Null unless the Corefile asks for it. */
  serveStale: ServeStaleOptions | null;
  /** `serve_stale_policy prefer_positive`. */
  preferPositive: boolean;
  /** Most bytes that all stores take together; null for no limit. */
  capacityBytes: number | null;
  /** Where the content is kept over a restart, and how often it is written; null for nowhere. */
  persist: { file: string; intervalMs: number } | null;
}

/** What becomes of entries that have expired (RFC 8767). */
export interface ServeStaleOptions {
  /** How long an entry may be served past its end; 0 turns it off. */
  durationMs: number;
  /** Answer first and refresh behind, or ask first and answer from the entry where that fails. */
  mode: "immediate" | "verify";
  /** How long `verify` waits; 0 for as long as the plugins below take. */
  verifyTimeoutMs: number;
  /** TTL of stale answers. */
  responseTtlSeconds: number;
  /** Pause after a refresh that failed; 0 for the pause that the failure itself is kept. */
  failureRecheckMs: number;
}

/** Whether a cache whose options change so may go on with its content. */
export function keepsContent(old: CacheOptions, next: CacheOptions): boolean {
  const bounded = (old.capacityBytes === null) === (next.capacityBytes === null);
  return bounded && JSON.stringify(essentials(old)) === JSON.stringify(essentials(next));
}

/** The options that what is kept depends on; the others may change while it stays. */
function essentials(options: CacheOptions): Partial<CacheOptions> {
  const { prefetch: _prefetch, persist: _persist, capacityBytes: _bytes, ...rest } = options;
  return rest;
}
