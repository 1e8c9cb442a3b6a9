import { Memory } from "./memory.ts";

/** Size of the smallest buffer: one read from a client's stream. */
const MIN_BITS = 11;
/** Largest buffer that is kept: a message of 65,535 octets and what came behind it. */
const MAX_BITS = 17;

/**
 * Buffers of 2 KiB to 128 KiB that are used again. ArrayBuffers lie outside V8's heap, where garbage
 * is collected late: some ten thousand of them would exceed the memory limit of a container.
 */
export class BufferPool {
  readonly #free: Memory[][] = [];
  readonly #maxBytes: number;
  #bytes = 0;

  /** @param maxBytes - how much may lie here unused */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    for (let bits = MIN_BITS; bits <= MAX_BITS; bits++) this.#free.push([]);
  }

  /** Bytes that lie here unused. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes a buffer of at least this size; what is in it is undefined. */
  take(sizeBytes: number): Memory {
    const bits = Math.max(MIN_BITS, 32 - Math.clz32(sizeBytes - 1));
    const memory = this.#free[bits - MIN_BITS]?.pop();
    if (memory === undefined) return new Memory(2 ** bits);
    this.#bytes -= memory.bytes.length;
    return memory;
  }

  /** Takes a buffer back; nobody may use it any more. */
  give(memory: Memory): void {
    const size = memory.bytes.length;
    const free = this.#free[31 - Math.clz32(size) - MIN_BITS];
    if (free === undefined || this.#bytes + size > this.#maxBytes) return;
    this.#bytes += size;
    free.push(memory);
  }
}
