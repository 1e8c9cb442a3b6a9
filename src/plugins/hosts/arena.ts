/** Least growth: small enough to waste nothing, large enough to be rare. */
const STEP_BYTES = 64 * 1024;
const GROWTH = 1 / 16;

/**
 * Memory that grows in place: a resizable buffer, whose pages the kernel provides on first write.
 * Growing copies nothing, and `releaseBuffer` returns all of it without a garbage collection.
 */
export class Arena {
  readonly buffer: ArrayBuffer;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly words: Uint32Array<ArrayBuffer>;
  /** Where the next block begins; a multiple of four. */
  end = 0;

  constructor(maxBytes: number) {
    this.buffer = new ArrayBuffer(0, { maxByteLength: maxBytes & ~3 });
    this.bytes = new Uint8Array(this.buffer);
    this.words = new Uint32Array(this.buffer);
  }

  /** Allocates `size` zeroed bytes; returns their offset, or 0 if there is no room. */
  take(size: number): number {
    const { buffer, end: at } = this;
    const end = at + ((size + 3) & ~3);
    if (end > buffer.maxByteLength) return 0;
    if (end > buffer.byteLength) {
      const wanted = end + Math.max(STEP_BYTES, Math.floor(end * GROWTH));
      try {
        buffer.resize(Math.min(buffer.maxByteLength, (wanted + 3) & ~3));
      } catch {
        return 0;
      }
    }
    this.end = end;
    return at;
  }
}
