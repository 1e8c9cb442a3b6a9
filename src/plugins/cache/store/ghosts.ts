/**
 * Hashes of entries that left the small queue (S3-FIFO's ghost queue): one that comes back goes to
 * the main queue at once. A newer hash takes the place of an older one.
 */
export class Ghosts {
  readonly #size: number;
  #hashes: Uint32Array | null = null;

  constructor(size: number) {
    this.#size = size;
  }

  /** Bytes that the table takes; none before the first hash. */
  get sizeBytes(): number {
    return this.#hashes === null ? 0 : 4 * this.#size;
  }

  /** Makes the table now, so that it does not have to grow later. */
  reserve(): void {
    this.#hashes ??= new Uint32Array(this.#size);
  }

  /** Notes the hash of an entry that left. */
  add(signed: number): void {
    const hashes = this.#hashes ??= new Uint32Array(this.#size);
    const hash = signed >>> 0;
    hashes[hash % hashes.length] = hash;
  }

  /** Whether an entry of this hash left not long ago; it is forgotten with the answer. */
  take(signed: number): boolean {
    const hashes = this.#hashes;
    const hash = signed >>> 0;
    if (hashes === null || hash === 0) return false;
    const place = hash % hashes.length;
    if (hashes[place] !== hash) return false;
    hashes[place] = 0;
    return true;
  }
}
