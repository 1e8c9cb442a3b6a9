/** Values by number; numbers are reused. */
export class IndexTable<T> {
  readonly #values: (T | null)[] = [];
  readonly #free: number[] = [];

  get size(): number {
    return this.#values.length - this.#free.length;
  }

  add(value: T): number {
    const index = this.#free.pop() ?? this.#values.length;
    this.#values[index] = value;
    return index;
  }

  get(index: number): T | null {
    return this.#values[index] ?? null;
  }

  remove(index: number): T | null {
    const value = this.get(index);
    if (value === null) return null;
    this.#values[index] = null;
    this.#free.push(index);
    return value;
  }

  /** The caller may remove any meanwhile. */
  *[Symbol.iterator](): Generator<T> {
    for (const value of this.#values) if (value !== null) yield value;
  }
}
