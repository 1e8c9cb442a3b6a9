/** 16 KiB; a newer name replaces another of its slot. */
const SLOTS = 1024;

/** Keyed hashes, each until a time. */
export class KnownNames {
  readonly #hashes = new Int32Array(SLOTS);
  readonly #until = new Float64Array(SLOTS);

  add(hash: number, untilMs: number): void {
    const slot = hash & (SLOTS - 1);
    this.#hashes[slot] = hash;
    this.#until[slot] = untilMs;
  }

  has(hash: number, nowMs: number): boolean {
    const slot = hash & (SLOTS - 1);
    return this.#hashes[slot] === hash && this.#until[slot]! > nowMs;
  }

  remove(hash: number): void {
    const slot = hash & (SLOTS - 1);
    if (this.#hashes[slot] === hash) this.#until[slot] = 0;
  }

  clear(): void {
    this.#until.fill(0);
  }

  count(nowMs: number): number {
    let count = 0;
    for (let slot = 0; slot < SLOTS; slot++) if (this.#until[slot]! > nowMs) count++;
    return count;
  }
}
