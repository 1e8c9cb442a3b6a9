import { Memory } from "../../../engine/memory.ts";

/** Default and maximum chunk size; a chunk has blocks of one size. */
const CHUNK_SIZE = 65536;
const LARGE_SHIFT = 3;
/** log2 of a chunk's size in units of eight bytes. */
const CHUNK_SHIFT = 13;
/** The last address is reserved. */
const MAX_CHUNKS = (1 << (32 - CHUNK_SHIFT)) - 1;
const SPARE_CHUNKS = 4;

interface Chunk {
  readonly memory: Memory;
  readonly number: number;
  sizeClass: number;
  blockSize: number;
  free: number;
  fresh: number;
  used: number;
  openIndex: number;
  draining: boolean;
}

/**
 * Allocates blocks without objects. Four size classes per doubling waste a tenth. A chunk serves
 * one, and is released with its last block. Addresses: chunk number, and offset in eight bytes.
 */
export class Arena {
  readonly #chunkSize: number;
  readonly #large: number;
  readonly #chunks: (Chunk | null)[] = [];
  readonly #freeNumbers: number[] = [];
  readonly #open: Chunk[][] = [];
  readonly #spare: Memory[] = [];
  sizeBytes = 0;
  freeBytes = 0;

  constructor(chunkSize: number = CHUNK_SIZE) {
    this.#chunkSize = chunkSize;
    this.#large = chunkSize >>> LARGE_SHIFT;
  }

  /** Bytes from the system; Infinity if impossible. */
  costOf(size: number): number {
    const full = this.#freeNumbers.length === 0 && this.#chunks.length >= MAX_CHUNKS;
    if (size >= this.#large) return full ? Infinity : (size + 7) & ~7;
    if ((this.#open[classOf(size)]?.length ?? 0) > 0) return 0;
    if (full) return Infinity;
    return this.#spare.length > 0 ? 0 : this.#chunkSize;
  }

  allocate(size: number): number {
    if (size >= this.#large) {
      const chunk = this.#add(new Memory(size), -1, size);
      this.sizeBytes += chunk.memory.bytes.length;
      chunk.used = 1;
      return chunk.number << CHUNK_SHIFT;
    }
    const sizeClass = classOf(size);
    const open = this.#open[sizeClass] ??= [];
    let chunk = open[open.length - 1];
    if (chunk === undefined) {
      let memory = this.#spare.pop();
      if (memory === undefined) {
        memory = new Memory(this.#chunkSize);
        this.sizeBytes += this.#chunkSize;
      }
      chunk = this.#add(memory, sizeClass, sizeOf(sizeClass));
      this.freeBytes += this.#blocksOf(chunk) * chunk.blockSize;
      chunk.openIndex = open.push(chunk) - 1;
    }
    let eights: number;
    if (chunk.free !== 0) {
      eights = chunk.free - 1;
      chunk.free = chunk.memory.view.getUint32(eights << 3);
    } else {
      eights = chunk.fresh >>> 3;
      chunk.fresh += chunk.blockSize;
    }
    chunk.used++;
    this.freeBytes -= chunk.blockSize;
    if (chunk.free === 0 && chunk.fresh + chunk.blockSize > this.#chunkSize) this.#close(chunk);
    return (chunk.number << CHUNK_SHIFT) | eights;
  }

  free(address: number): void {
    const chunk = this.#chunks[address >>> CHUNK_SHIFT]!;
    chunk.used--;
    if (chunk.sizeClass < 0) {
      this.sizeBytes -= chunk.memory.bytes.length;
      this.#drop(chunk);
      return;
    }
    const eights = address & ((1 << CHUNK_SHIFT) - 1);
    chunk.memory.view.setUint32(eights << 3, chunk.free);
    chunk.free = eights + 1;
    this.freeBytes += chunk.blockSize;
    if (chunk.openIndex < 0 && !chunk.draining) {
      const open = this.#open[chunk.sizeClass]!;
      chunk.openIndex = open.push(chunk) - 1;
    }
    if (chunk.used === 0) {
      this.#close(chunk);
      this.freeBytes -= this.#blocksOf(chunk) * chunk.blockSize;
      if (this.#spare.length < SPARE_CHUNKS) this.#spare.push(chunk.memory);
      else this.sizeBytes -= this.#chunkSize;
      this.#drop(chunk);
    }
  }

  dropSpare(): boolean {
    if (this.#spare.pop() === undefined) return false;
    this.sizeBytes -= this.#chunkSize;
    return true;
  }

  /** Emptiest one that fits elsewhere, or -1; the caller must move its blocks. */
  drainOne(): number {
    let best: Chunk | null = null;
    let least = Infinity;
    for (const open of this.#open) {
      if (open === undefined) continue;
      let free = 0;
      for (const chunk of open) free += this.#blocksOf(chunk) - chunk.used;
      for (const chunk of open) {
        if (free < this.#blocksOf(chunk)) continue;
        if (chunk.used * chunk.blockSize >= least) continue;
        best = chunk;
        least = chunk.used * chunk.blockSize;
      }
    }
    if (best === null) return -1;
    this.#close(best);
    best.draining = true;
    return best.number;
  }

  #blocksOf(chunk: Chunk): number {
    return Math.floor(this.#chunkSize / chunk.blockSize);
  }

  memory(address: number): Memory {
    return this.#chunks[address >>> CHUNK_SHIFT]!.memory;
  }

  #add(memory: Memory, sizeClass: number, blockSize: number): Chunk {
    const number = this.#freeNumbers.pop() ?? this.#chunks.length;
    return this.#chunks[number] = {
      memory,
      number,
      sizeClass,
      blockSize,
      free: 0,
      fresh: 0,
      used: 0,
      openIndex: -1,
      draining: false,
    };
  }

  #drop(chunk: Chunk): void {
    this.#chunks[chunk.number] = null;
    this.#freeNumbers.push(chunk.number);
  }

  #close(chunk: Chunk): void {
    if (chunk.openIndex < 0) return;
    const open = this.#open[chunk.sizeClass]!;
    const last = open.pop()!;
    if (last !== chunk) {
      open[chunk.openIndex] = last;
      last.openIndex = chunk.openIndex;
    }
    chunk.openIndex = -1;
  }
}

/** Chunk number of a block. */
export function chunkOf(address: number): number {
  return address >>> CHUNK_SHIFT;
}

/** Byte offset of a block. */
export function offsetOf(address: number): number {
  return (address & ((1 << CHUNK_SHIFT) - 1)) << 3;
}

/** 0 for up to 64 bytes, then four classes per doubling. */
function classOf(size: number): number {
  if (size <= 64) return 0;
  const power = 31 - Math.clz32(size - 1);
  return 1 + ((power - 6) << 2) + (((size - 1) >>> (power - 2)) & 3);
}

function sizeOf(sizeClass: number): number {
  if (sizeClass === 0) return 64;
  const power = 6 + ((sizeClass - 1) >>> 2);
  return (1 << power) + ((((sizeClass - 1) & 3) + 1) << (power - 2));
}
