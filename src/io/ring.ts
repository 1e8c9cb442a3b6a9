/**
 * Bounded queue of records between two threads in shared memory, without allocation.
 *
 * ```
 *    0  i32 head: octets written, modulo 2^32; set by the writer
 *    4  i32 1 from when the reader is woken until it reads
 *    8  i32 1 while the writer waits for room
 *   64  i32 tail: octets read, modulo 2^32; set by the reader
 *  128  records, in a power of two octets
 *
 *  record, aligned to 8:  u32 kind << 24 | length of the payload | u32 stream | payload, padded to 8
 * ```
 *
 * A payload may wrap around the end of the ring; a header never does.
 */
const HEAD = 0;
const WOKEN = 1;
const WAITS = 2;
const TAIL = 16;
const RECORDS_AT = 128;
const HEADER = 8;
const MAX_PAYLOAD = 0xffffff;

/** `sizeBytes` of records, a power of two. */
export function ringMemory(sizeBytes: number): SharedArrayBuffer {
  if (sizeBytes < 64 || (sizeBytes & (sizeBytes - 1)) !== 0) {
    throw new RangeError(`Cannot make a ring of ${sizeBytes} bytes: that is not a power of two`);
  }
  return new SharedArrayBuffer(RECORDS_AT + sizeBytes);
}

class RingEnd {
  protected readonly marks: Int32Array<SharedArrayBuffer>;
  protected readonly words: Uint32Array<SharedArrayBuffer>;
  protected readonly bytes: Uint8Array<SharedArrayBuffer>;

  constructor(memory: SharedArrayBuffer) {
    this.marks = new Int32Array(memory, 0, RECORDS_AT / 4);
    this.words = new Uint32Array(memory, RECORDS_AT);
    this.bytes = new Uint8Array(memory, RECORDS_AT);
  }
}

/** The writer's end. */
export class RingWriter extends RingEnd {
  #head = Atomics.load(this.marks, HEAD);

  /** For a payload; negative for none. */
  get room(): number {
    const used = (this.#head - Atomics.load(this.marks, TAIL)) >>> 0;
    return Math.min(this.bytes.length - used - HEADER, MAX_PAYLOAD);
  }

  /** Visible after `publish`. False: no room. */
  write(
    kind: number,
    stream: number,
    payload: Uint8Array = NOTHING,
    from = 0,
    to = payload.length,
  ): boolean {
    const length = to - from;
    if (length > this.room) return false;
    const size = this.bytes.length;
    const at = (this.#head >>> 0) & (size - 1);
    this.words[at >>> 2] = (kind << 24) | length;
    this.words[(at >>> 2) + 1] = stream;
    const start = (at + HEADER) & (size - 1);
    const first = Math.min(length, size - start);
    if (length > 0) this.bytes.set(payload.subarray(from, from + first), start);
    if (first < length) this.bytes.set(payload.subarray(from + first, to), 0);
    this.#head = (this.#head + HEADER + ((length + 7) & ~7)) | 0;
    return true;
  }

  publish(): boolean {
    if (Atomics.load(this.marks, HEAD) === this.#head) return false;
    Atomics.store(this.marks, HEAD, this.#head);
    return Atomics.exchange(this.marks, WOKEN, 1) === 0;
  }

  /** Returns whether there is room. */
  waitForRoom(length: number): boolean {
    Atomics.store(this.marks, WAITS, 1);
    return length <= this.room;
  }
}

/** The reader's end. */
export class RingReader extends RingEnd {
  kind = 0;
  stream = 0;
  length = 0;
  #tail = Atomics.load(this.marks, TAIL);
  #payload = 0;

  /** The next `publish` wakes the reader again. */
  begin(): void {
    Atomics.store(this.marks, WOKEN, 0);
  }

  next(): boolean {
    if (Atomics.load(this.marks, HEAD) === this.#tail) return false;
    const at = (this.#tail >>> 0) & (this.bytes.length - 1);
    const word = this.words[at >>> 2]!;
    this.kind = word >>> 24;
    this.length = word & MAX_PAYLOAD;
    this.stream = this.words[(at >>> 2) + 1]!;
    this.#payload = (at + HEADER) & (this.bytes.length - 1);
    this.#tail = (this.#tail + HEADER + ((this.length + 7) & ~7)) | 0;
    return true;
  }

  /** From the payload. */
  copy(target: Uint8Array, from = 0, to = this.length): void {
    const size = this.bytes.length;
    const start = (this.#payload + from) & (size - 1);
    const first = Math.min(to - from, size - start);
    target.set(this.bytes.subarray(start, start + first));
    if (first < to - from) target.set(this.bytes.subarray(0, to - from - first), first);
  }

  /** Returns whether to wake the writer. */
  release(): boolean {
    if (Atomics.load(this.marks, TAIL) === this.#tail) return false;
    Atomics.store(this.marks, TAIL, this.#tail);
    return Atomics.load(this.marks, WAITS) === 1 && Atomics.exchange(this.marks, WAITS, 0) === 1;
  }
}

const NOTHING: Uint8Array = new Uint8Array();
