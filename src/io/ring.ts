/**
 * A queue of records from one thread to another, in shared memory. No buffer is allocated and nothing
 * serialised for a record, and what is under way can never exceed the size of the ring.
 *
 * ```
 *    0  i32 head: octets written, modulo 2^32; set by the writer
 *    4  i32 1 from when the reader is woken until it looks
 *    8  i32 1 while the writer waits for room
 *   64  i32 tail: octets read, modulo 2^32; set by the reader
 *  128  records, in a power of two octets
 *
 *  record, aligned to 8:  u32 kind << 24 | length of the payload | u32 stream | payload, padded to 8
 * ```
 *
 * Only a payload may run on from the end of the ring to its start: sizes are multiples of eight, so
 * the eight octets before it never do.
 */
const HEAD = 0;
const WOKEN = 1;
const WAITS = 2;
const TAIL = 16;
const RECORDS_AT = 128;
const HEADER = 8;
const MAX_PAYLOAD = 0xffffff;

/** Memory for a ring with `sizeBytes` of records, a power of two. */
export function ringMemory(sizeBytes: number): SharedArrayBuffer {
  if (sizeBytes < 64 || (sizeBytes & (sizeBytes - 1)) !== 0) {
    throw new RangeError(`Cannot make a ring of ${sizeBytes} bytes: that is not a power of two`);
  }
  return new SharedArrayBuffer(RECORDS_AT + sizeBytes);
}

/** What both ends have. */
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

/** The end that writes. */
export class RingWriter extends RingEnd {
  #head: number;

  constructor(memory: SharedArrayBuffer) {
    super(memory);
    this.#head = Atomics.load(this.marks, HEAD);
  }

  /** Longest payload that a record may have now; below zero where there is room for no record. */
  get room(): number {
    const used = (this.#head - Atomics.load(this.marks, TAIL)) >>> 0;
    return Math.min(this.bytes.length - used - HEADER, MAX_PAYLOAD);
  }

  /** Adds a record, which the reader sees after `publish`; false if it does not fit. */
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

  /** Shows the reader what was written; true where it has to be woken. */
  publish(): boolean {
    if (Atomics.load(this.marks, HEAD) === this.#head) return false;
    Atomics.store(this.marks, HEAD, this.#head);
    return Atomics.exchange(this.marks, WOKEN, 1) === 0;
  }

  /** Has the reader tell when it has made room; true where there is room for `length` already. */
  waitForRoom(length: number): boolean {
    Atomics.store(this.marks, WAITS, 1);
    return length <= this.room;
  }
}

/** The end that reads. */
export class RingReader extends RingEnd {
  kind = 0;
  stream = 0;
  /** Octets of the payload. */
  length = 0;
  #tail: number;
  #payload = 0;

  constructor(memory: SharedArrayBuffer) {
    super(memory);
    this.#tail = Atomics.load(this.marks, TAIL);
  }

  /** Begins to look: whoever writes from now on wakes the reader again. */
  begin(): void {
    Atomics.store(this.marks, WOKEN, 0);
  }

  /** Goes to the next record; false where there is none. */
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

  /** Copies the payload, or the part of it from `from` to `to`, to the start of `target`. */
  copy(target: Uint8Array, from = 0, to = this.length): void {
    const size = this.bytes.length;
    const start = (this.#payload + from) & (size - 1);
    const first = Math.min(to - from, size - start);
    target.set(this.bytes.subarray(start, start + first));
    if (first < to - from) target.set(this.bytes.subarray(0, to - from - first), first);
  }

  /** Gives the room of what was read back; true where the writer waits for it and must be woken. */
  release(): boolean {
    if (Atomics.load(this.marks, TAIL) === this.#tail) return false;
    Atomics.store(this.marks, TAIL, this.#tail);
    return Atomics.load(this.marks, WAITS) === 1 && Atomics.exchange(this.marks, WAITS, 0) === 1;
  }
}

const NOTHING: Uint8Array = new Uint8Array();
