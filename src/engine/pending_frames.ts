import type { BufferPool } from "./buffer_pool.ts";
import type { Memory } from "./memory.ts";

/** What was read of a stream and not used yet: part of a frame, or frames that wait for their turn. */
export class PendingFrames {
  /** The bytes, `length` of them from the start; null where there are none. */
  memory: Memory | null = null;
  length = 0;
  readonly #buffers: BufferPool;

  constructor(buffers: BufferPool) {
    this.#buffers = buffers;
  }

  /** Bytes of memory that are taken. */
  get sizeBytes(): number {
    return this.memory === null ? 0 : this.memory.bytes.length;
  }

  /** The first frame (RFC 1035 section 4.2.2) is there, whole. */
  get hasFrame(): boolean {
    return this.length >= 2 && this.length >= 2 + this.memory!.view.getUint16(0);
  }

  /** Adds bytes behind those that there are. */
  append(from: Memory, offset: number, length: number): void {
    const total = this.length + length;
    let { memory } = this;
    if (memory === null || memory.bytes.length < total) {
      memory = this.#buffers.take(total);
      if (this.memory !== null) {
        memory.bytes.set(this.memory.bytes.subarray(0, this.length));
        this.#buffers.give(this.memory);
      }
      this.memory = memory;
    }
    memory.bytes.set(from.bytes.subarray(offset, offset + length), this.length);
    this.length = total;
  }

  /** Takes bytes away from the start. */
  consume(length: number): void {
    if (length === this.length) {
      this.clear();
    } else if (length > 0) {
      this.memory!.bytes.copyWithin(0, length, this.length);
      this.length -= length;
    }
  }

  /** Forgets everything. A buffer that somebody still reads is not used again. */
  clear(isRead = false): void {
    if (this.memory !== null && !isRead) this.#buffers.give(this.memory);
    this.memory = null;
    this.length = 0;
  }
}
