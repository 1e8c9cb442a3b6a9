/** An eviction policy at work: a bounded map from names (as numbers) to the time they expire. */
export interface Policy {
  /** When the entry expires in seconds, or undefined; counts as a use of it. */
  get(key: number, nowSeconds: number): number | undefined;
  /** Inserts or renews an entry, and evicts another if there is no room. */
  put(key: number, expiresSeconds: number, nowSeconds: number): void;
}
