import { Memory } from "../../engine/memory.ts";

/** Bytes of a chunk that is cut into blocks of one size. */
const CHUNK_SIZE = 65536;
/** Blocks of this size and above have a chunk of their own. */
const LARGE = 8192;
/** Addresses count in eights; a chunk has this many. */
const CHUNK_SHIFT = 13;
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
}

/**
 * Blocks of bytes for messages, without an object a block.
 *
 * Sizes are rounded up to four classes a doubling (at most a quarter is lost, a tenth on average).
 * Chunks of 64 KiB serve one class each, and go back when their last block does, so memory follows
 * what is stored. An address is an unsigned number: the chunk's number and the offset in eights.
 */
export class Arena {
  readonly #chunks: (Chunk | null)[] = [];
  readonly #freeNumbers: number[] = [];
  /** For each size class, the chunks with room. */
  readonly #open: Chunk[][] = [];
  readonly #spare: Memory[] = [];
  #bytes = 0;

  /** Bytes taken from the system. */
  get sizeBytes(): number {
    return this.#bytes;
  }

  /** Block of at least `size` bytes; its address. */
  allocate(size: number): number {
    if (size >= LARGE) {
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
        memory = new Memory(CHUNK_SIZE);
        this.#bytes += CHUNK_SIZE;
      }
      chunk = this.#add(memory, sizeClass, sizeOf(sizeClass));
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
    if (chunk.free === 0 && chunk.fresh + chunk.blockSize > CHUNK_SIZE) this.#close(chunk);
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
    if (chunk.place < 0) {
      const open = this.#open[chunk.sizeClass]!;
      chunk.place = open.length;
      open.push(chunk);
    }
    if (chunk.used === 0) {
      this.#close(chunk);
      if (this.#spare.length < SPARE_CHUNKS) this.#spare.push(chunk.memory);
      else this.#bytes -= CHUNK_SIZE;
      this.#drop(chunk);
    }
  }

  /** The memory that a block lies in; its offset there is `offsetOf(address)`. */
  memory(address: number): Memory {
    return this.#chunks[address >>> CHUNK_SHIFT]!.memory;
  }

  #add(memory: Memory, sizeClass: number, blockSize: number): Chunk {
    const number = this.#freeNumbers.pop() ?? this.#chunks.length;
    const chunk = { memory, number, sizeClass, blockSize, free: 0, fresh: 0, used: 0, place: -1 };
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
