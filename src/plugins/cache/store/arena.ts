import { Memory } from "../../../engine/memory.ts";

/** Bytes of a chunk that is cut into blocks of one size, unless told otherwise, and at most. */
const CHUNK_SIZE = 65536;
/** Blocks of an eighth of a chunk and more have a chunk of their own. */
const LARGE_SHIFT = 3;
/** Addresses count in eights; a chunk has this many. */
const CHUNK_SHIFT = 13;
/** Chunks that addresses reach; the last address stands for none. */
const MAX_CHUNKS = (1 << (32 - CHUNK_SHIFT)) - 1;
/** Empty chunks kept for the next need. */
const SPARE_CHUNKS = 4;

interface Chunk {
  readonly memory: Memory;
  readonly number: number;
  sizeClass: number;
  blockSize: number;
  /** First free block plus one, in eights; 0 for none. Free blocks hold the next in their first word. */
  free: number;
  /** Where blocks that were never used begin, in bytes. */
  fresh: number;
  used: number;
  /** Place among the chunks of its class that have room, or -1. */
  place: number;
  /** It is being emptied: its free blocks are not given out. */
  draining: boolean;
}

/**
 * Blocks of bytes for messages, without an object a block.
 *
 * Sizes are rounded up to four classes a doubling (at most a quarter is lost, a tenth on average).
 * Chunks of 64 KiB serve one class each, and go back when their last block does, so memory follows
 * what is stored. An address is an unsigned number: the chunk's number and the offset in eights.
 */
export class Arena {
  readonly #chunkSize: number;
  readonly #large: number;
  readonly #chunks: (Chunk | null)[] = [];
  readonly #freeNumbers: number[] = [];
  /** For each size class, the chunks with room. */
  readonly #open: Chunk[][] = [];
  readonly #spare: Memory[] = [];
  #bytes = 0;
  #freeBytes = 0;

  /** @param chunkSize - a power of two, at most 64 KiB; smaller for a small arena */
  constructor(chunkSize: number = CHUNK_SIZE) {
    this.#chunkSize = chunkSize;
    this.#large = chunkSize >>> LARGE_SHIFT;
  }

  /** Bytes taken from the system. */
  get sizeBytes(): number {
    return this.#bytes;
  }

  /** Bytes of blocks that are free, in chunks that are in use. */
  get freeBytes(): number {
    return this.#freeBytes;
  }

  /** Bytes that a block of at least `size` would take from the system; Infinity beyond all bounds. */
  costOf(size: number): number {
    const full = this.#freeNumbers.length === 0 && this.#chunks.length >= MAX_CHUNKS;
    if (size >= this.#large) return full ? Infinity : (size + 7) & ~7;
    if ((this.#open[classOf(size)]?.length ?? 0) > 0) return 0;
    if (full) return Infinity;
    return this.#spare.length > 0 ? 0 : this.#chunkSize;
  }

  /** Block of at least `size` bytes; its address. */
  allocate(size: number): number {
    if (size >= this.#large) {
      const chunk = this.#add(new Memory(size), -1, size);
      this.#bytes += chunk.memory.bytes.length;
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
        this.#bytes += this.#chunkSize;
      }
      chunk = this.#add(memory, sizeClass, sizeOf(sizeClass));
      this.#freeBytes += this.#blocksOf(chunk) * chunk.blockSize;
      chunk.place = open.length;
      open.push(chunk);
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
    this.#freeBytes -= chunk.blockSize;
    if (chunk.free === 0 && chunk.fresh + chunk.blockSize > this.#chunkSize) this.#close(chunk);
    return (chunk.number << CHUNK_SHIFT) | eights;
  }

  /** Gives a block back. */
  free(address: number): void {
    const chunk = this.#chunks[address >>> CHUNK_SHIFT]!;
    chunk.used--;
    if (chunk.sizeClass < 0) {
      this.#bytes -= chunk.memory.bytes.length;
      this.#drop(chunk);
      return;
    }
    const eights = address & ((1 << CHUNK_SHIFT) - 1);
    chunk.memory.view.setUint32(eights << 3, chunk.free);
    chunk.free = eights + 1;
    this.#freeBytes += chunk.blockSize;
    if (chunk.place < 0 && !chunk.draining) {
      const open = this.#open[chunk.sizeClass]!;
      chunk.place = open.length;
      open.push(chunk);
    }
    if (chunk.used === 0) {
      this.#close(chunk);
      this.#freeBytes -= this.#blocksOf(chunk) * chunk.blockSize;
      if (this.#spare.length < SPARE_CHUNKS) this.#spare.push(chunk.memory);
      else this.#bytes -= this.#chunkSize;
      this.#drop(chunk);
    }
  }

  /** Gives an empty chunk that was kept for the next need back to the system; false without one. */
  dropSpare(): boolean {
    if (this.#spare.pop() === undefined) return false;
    this.#bytes -= this.#chunkSize;
    return true;
  }

  /**
   * Picks the emptiest chunk whose blocks find room in others of its class, and gives out none of
   * its blocks any more. Whoever asked moves what lies in it (`chunkOf`), which frees the chunk.
   *
   * @returns number of the chunk, or -1
   */
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

  /** The memory that a block lies in; its offset there is `offsetOf(address)`. */
  memory(address: number): Memory {
    return this.#chunks[address >>> CHUNK_SHIFT]!.memory;
  }

  #add(memory: Memory, sizeClass: number, blockSize: number): Chunk {
    const number = this.#freeNumbers.pop() ?? this.#chunks.length;
    const chunk = {
      memory,
      number,
      sizeClass,
      blockSize,
      free: 0,
      fresh: 0,
      used: 0,
      place: -1,
      draining: false,
    };
    this.#chunks[number] = chunk;
    return chunk;
  }

  #drop(chunk: Chunk): void {
    this.#chunks[chunk.number] = null;
    this.#freeNumbers.push(chunk.number);
  }

  /** Takes a chunk out of those with room. */
  #close(chunk: Chunk): void {
    if (chunk.place < 0) return;
    const open = this.#open[chunk.sizeClass]!;
    const last = open.pop()!;
    if (last !== chunk) {
      open[chunk.place] = last;
      last.place = chunk.place;
    }
    chunk.place = -1;
  }
}

/** Number of the chunk that a block lies in. */
export function chunkOf(address: number): number {
  return address >>> CHUNK_SHIFT;
}

/** Offset of a block in its memory, a multiple of eight. */
export function offsetOf(address: number): number {
  return (address & ((1 << CHUNK_SHIFT) - 1)) << 3;
}

/** Class of a size: 0 for up to 64 bytes, then four a doubling. */
function classOf(size: number): number {
  if (size <= 64) return 0;
  const power = 31 - Math.clz32(size - 1);
  return 1 + ((power - 6) << 2) + (((size - 1) >>> (power - 2)) & 3);
}

/** Size of the blocks of a class. */
function sizeOf(sizeClass: number): number {
  if (sizeClass === 0) return 64;
  const power = 6 + ((sizeClass - 1) >>> 2);
  return (1 << power) + ((((sizeClass - 1) & 3) + 1) << (power - 2));
}
