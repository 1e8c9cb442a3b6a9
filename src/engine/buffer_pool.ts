import { Memory } from "./memory.ts";

/** One read of a stream. */
const MIN_BITS = 11;
/** 65,535 octets and more input. */
const MAX_BITS = 17;

/** V8 frees ArrayBuffers late: thousands would exceed a container's memory. */
export class BufferPool {
  bytes = 0;
  readonly #free: Memory[][] = [];
  readonly #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    for (let bits = MIN_BITS; bits <= MAX_BITS; bits++) this.#free.push([]);
  }

  /** Not cleared. */
  take(sizeBytes: number): Memory {
    const bits = Math.max(MIN_BITS, 32 - Math.clz32(sizeBytes - 1));
    const memory = this.#free[bits - MIN_BITS]?.pop();
    if (memory === undefined) return new Memory(2 ** bits);
    this.bytes -= memory.bytes.length;
    return memory;
  }

  give(memory: Memory): void {
    const size = memory.bytes.length;
    const free = this.#free[31 - Math.clz32(size) - MIN_BITS];
    if (free === undefined || this.bytes + size > this.#maxBytes) return;
    this.bytes += size;
    free.push(memory);
  }
}
