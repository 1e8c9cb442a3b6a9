/** An eviction policy: a bounded map from names (as numbers) to expiry times. */
export interface Policy {
  /** Expiry in seconds, or undefined; counts as a use. */
  get(key: number, nowSeconds: number): number | undefined;
  /** Inserts or renews an entry, evicting another if full. */
  put(key: number, expiresSeconds: number, nowSeconds: number): void;
}
