import { FLAG, HEADER_SIZE, MAX_MESSAGE_SIZE, RCODE } from "../../../dns/constants.ts";
import { lower } from "../../../dns/names/walk.ts";

const FIRST_BYTES = 512;
const LENGTH_BYTES = 2;
const BARE_CODES: readonly number[] = [
  RCODE.FORMERR,
  RCODE.SERVFAIL,
  RCODE.NOTIMP,
  RCODE.REFUSED,
];

/** A request and its partial answer. */
export class HttpRequest {
  why: string;
  #frame: Uint8Array = new Uint8Array();
  #size = 0;

  constructor(readonly query: Uint8Array, readonly sinceMs: number, why: string) {
    this.why = why;
  }

  get held(): number {
    return this.query.length + this.#frame.length;
  }

  append(bytes: Uint8Array): boolean {
    const size = this.#size + bytes.length;
    if (size > MAX_MESSAGE_SIZE) return false;
    const needed = LENGTH_BYTES + size;
    if (this.#frame.length < needed) {
      const larger = new Uint8Array(Math.max(needed, FIRST_BYTES, 2 * this.#frame.length));
      larger.set(this.#frame);
      this.#frame = larger;
    }
    this.#frame.set(bytes, LENGTH_BYTES + this.#size);
    this.#size = size;
    return true;
  }

  finish(): void {
    const message = this.#frame.subarray(LENGTH_BYTES, LENGTH_BYTES + this.#size);
    if (this.why !== "") return;
    if (message.length < HEADER_SIZE) this.why = "HTTP content shorter than a DNS message";
    else if (!answersQuery(this.query, message)) {
      this.why = "HTTP content that answers another question";
    }
  }

  get answer(): Uint8Array {
    const frame = this.#frame.subarray(0, LENGTH_BYTES + this.#size);
    frame[0] = this.#size >>> 8;
    frame[1] = this.#size & 0xff;
    frame[2] = this.query[0]!;
    frame[3] = this.query[1]!;
    return frame;
  }
}

/** SERVFAIL as a frame; keeps all sections. */
export function servfail(query: Uint8Array): Uint8Array {
  const frame = new Uint8Array(LENGTH_BYTES + query.length);
  frame[0] = query.length >>> 8;
  frame[1] = query.length & 0xff;
  frame.set(query, LENGTH_BYTES);
  frame[LENGTH_BYTES + 2]! |= FLAG.QR >>> 8;
  frame[LENGTH_BYTES + 3] = FLAG.RA | RCODE.SERVFAIL;
  return frame;
}

/** Whether the question is equal (in any case), or missing in an error. */
function answersQuery(query: Uint8Array, message: Uint8Array): boolean {
  const flags = (message[2]! << 8) | message[3]!;
  if ((flags & FLAG.QR) === 0) return false;
  const questions = (message[4]! << 8) | message[5]!;
  if (questions === 0) {
    const records = message[6]! | message[7]! | message[8]! | message[9]!;
    const additional = message[10]! | message[11]!;
    const excused = (flags & FLAG.TC) !== 0 || BARE_CODES.includes(flags & FLAG.RCODE) ||
      additional !== 0;
    return records === 0 && excused;
  }
  const end = questionEnd(query);
  if (questions !== 1 || message.length < end) return false;
  for (let at = HEADER_SIZE; at < end; at++) {
    if (lower(message[at]!) !== lower(query[at]!)) return false;
  }
  return true;
}

/** nodens sends one uncompressed question per query. */
function questionEnd(query: Uint8Array): number {
  let at = HEADER_SIZE;
  while (at < query.length && query[at] !== 0) at += query[at]! + 1;
  return Math.min(at + 5, query.length);
}
