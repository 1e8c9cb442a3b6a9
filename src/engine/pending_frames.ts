import type { BufferPool } from "./buffer_pool.ts";
import type { Memory } from "./memory.ts";

/** Unprocessed input of a stream. */
export class PendingFrames {
  memory: Memory | null = null;
  length = 0;
  readonly #buffers: BufferPool;

  constructor(buffers: BufferPool) {
    this.#buffers = buffers;
  }

  get sizeBytes(): number {
    return this.memory === null ? 0 : this.memory.bytes.length;
  }

  /** RFC 1035 section 4.2.2. */
  get hasFrame(): boolean {
    return this.length >= 2 && this.length >= 2 + this.memory!.view.getUint16(0);
  }

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

  consume(length: number): void {
    if (length === this.length) {
      this.clear();
    } else if (length > 0) {
      this.memory!.bytes.copyWithin(0, length, this.length);
      this.length -= length;
    }
  }

  /** Buffers being read are not pooled. */
  clear(isRead = false): void {
    if (this.memory !== null && !isRead) this.#buffers.give(this.memory);
    this.memory = null;
    this.length = 0;
  }
}
