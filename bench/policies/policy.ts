/** An eviction policy at work: a bounded map from names (as numbers) to the time they expire. */
export interface Policy {
  /** When the entry expires in seconds, or undefined; counts as a use of it. */
  get(key: number, nowSeconds: number): number | undefined;
  /** Keeps an entry, or renews it; something else goes where the room runs out. */
  put(key: number, expiresSeconds: number, nowSeconds: number): void;
}
