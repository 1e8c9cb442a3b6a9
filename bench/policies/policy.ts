/** An eviction policy at work: a bounded map from names (as numbers) to the time they expire. */
export interface Policy {
  /** What is kept for the key, or undefined; counts as a use of it. */
  get(key: number): number | undefined;
  /** Keeps a value, or replaces it; something else goes where the room runs out. */
  put(key: number, value: number): void;
}
