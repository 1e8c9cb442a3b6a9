/** Least growth: small enough to waste nothing, large enough to be rare. */
const STEP_BYTES = 64 * 1024;
/** An arena grows by this share of its size, if that is more. */
const GROWTH = 1 / 16;

/**
 * Memory that grows in place up to a limit: a resizable buffer, whose pages the kernel gives when
 * they are first written to. Nothing is copied to grow, and `releaseBuffer` gives all of it back at
 * once instead of waiting for a garbage collection.
 */
export class Arena {
  readonly buffer: ArrayBuffer;
  /** All of it, whatever its size: these views follow the buffer. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly words: Uint32Array<ArrayBuffer>;
  /** Where the next piece begins; a multiple of four. */
  end = 0;

  constructor(maxBytes: number) {
    this.buffer = new ArrayBuffer(0, { maxByteLength: maxBytes & ~3 });
    this.bytes = new Uint8Array(this.buffer);
    this.words = new Uint32Array(this.buffer);
  }

  /** Makes room for `size` zeroed bytes at the end and returns where they begin; 0 for no room. */
  take(size: number): number {
    const at = this.end;
    const end = at + ((size + 3) & ~3);
    if (end > this.buffer.byteLength && !this.#grow(end)) return 0;
    this.end = end;
    return at;
  }

  /** Gives back what lies behind the end. */
  trim(): void {
    this.buffer.resize(this.end);
  }

  #grow(end: number): boolean {
    const { maxByteLength } = this.buffer;
    if (end > maxByteLength) return false;
    const wanted = end + Math.max(STEP_BYTES, Math.floor(end * GROWTH));
    try {
      this.buffer.resize(Math.min(maxByteLength, (wanted + 3) & ~3));
      return true;
    } catch {
      // The system has no more pages.
      return false;
    }
  }
}
