/** Values by number; numbers of removed values are reused. */
export class IndexTable<T> {
  readonly #values: (T | null)[] = [];
  readonly #free: number[] = [];

  /** Number of values. */
  get size(): number {
    return this.#values.length - this.#free.length;
  }

  /** Stores a value and returns its number. */
  add(value: T): number {
    const index = this.#free.pop() ?? this.#values.length;
    this.#values[index] = value;
    return index;
  }

  get(index: number): T | null {
    return this.#values[index] ?? null;
  }

  /** Returns the value removed; null if there was none. */
  remove(index: number): T | null {
    const value = this.get(index);
    if (value === null) return null;
    this.#values[index] = null;
    this.#free.push(index);
    return value;
  }

  /** All values, of which any may be removed meanwhile. */
  *[Symbol.iterator](): Generator<T> {
    for (const value of this.#values) if (value !== null) yield value;
  }
}
