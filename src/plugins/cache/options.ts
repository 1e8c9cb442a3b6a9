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
}
