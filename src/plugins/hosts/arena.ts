/** Least growth; balances waste and frequency. */
const STEP_BYTES = 64 * 1024;
const GROWTH = 1 / 16;

/** A resizable buffer: grows without copying; `releaseBuffer` needs no garbage collection. */
export class Arena {
  readonly buffer: ArrayBuffer;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly words: Uint32Array<ArrayBuffer>;
  /** Next block; a multiple of four. */
  end = 0;

  constructor(maxBytes: number) {
    this.buffer = new ArrayBuffer(0, { maxByteLength: maxBytes & ~3 });
    this.bytes = new Uint8Array(this.buffer);
    this.words = new Uint32Array(this.buffer);
  }

  /** Allocates zeroed bytes; returns their offset, or 0 without room. */
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
