/** Longest DNS message. */
export const MAX_MESSAGE_SIZE = 65535;
/** Room for most answers. */
const FIRST_SIZE = 512;
/** Octets of a frame's length. */
const LENGTH_SIZE = 2;

/** A request under way, and what has come of its answer: one buffer that grows. */
export class HttpRequest {
  /** What is wrong with the response; empty if nothing is. */
  why: string;
  #frame: Uint8Array | null = null;
  #size = 0;

  /** @param why - what is wrong as long as nothing has come */
  constructor(readonly query: Uint8Array, readonly sinceMs: number, why: string) {
    this.why = why;
  }

  /** Octets of memory that it takes. */
  get held(): number {
    return this.query.length + (this.#frame?.length ?? 0);
  }

  /** Octets of the answer so far. */
  get size(): number {
    return this.#size;
  }

  /** Takes more of the answer; false if that is too long for a message. */
  append(bytes: Uint8Array): boolean {
    const size = this.#size + bytes.length;
    if (size > MAX_MESSAGE_SIZE) return false;
    const needed = LENGTH_SIZE + size;
    if (this.#frame === null || this.#frame.length < needed) {
      const larger = new Uint8Array(Math.max(needed, FIRST_SIZE, 2 * (this.#frame?.length ?? 0)));
      if (this.#frame !== null) larger.set(this.#frame.subarray(0, LENGTH_SIZE + this.#size));
      this.#frame = larger;
    }
    this.#frame.set(bytes, LENGTH_SIZE + this.#size);
    this.#size = size;
    return true;
  }

  /** The answer as a frame, with the id of the query. */
  get answer(): Uint8Array {
    const frame = (this.#frame ?? new Uint8Array(LENGTH_SIZE)).subarray(
      0,
      LENGTH_SIZE + this.#size,
    );
    frame[0] = this.#size >>> 8;
    frame[1] = this.#size & 0xff;
    frame[2] = this.query[0]!;
    frame[3] = this.query[1]!;
    return frame;
  }
}

/** A message as a frame. */
export function framed(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(LENGTH_SIZE + message.length);
  frame[0] = message.length >>> 8;
  frame[1] = message.length & 0xff;
  frame.set(message, LENGTH_SIZE);
  return frame;
}
