import { FLAG, HEADER_SIZE } from "../../dns/constants.ts";
import { ErrorText } from "../../dns/error_text.ts";
import type { ResponseScanner } from "../../dns/response_scan.ts";
import { Memory } from "../memory.ts";
import type { Question } from "../question/question.ts";

/** `ecsScope` without a scope. */
export const NO_SCOPE = {
  /** Independent of the client's subnet. */
  NEEDED: -1,
  /** The source did not receive the client's subnet, so it may be wrong for others. */
  KNOWN: -2,
} as const;

/** What scanners and compressors tell of a message. */
type Described = Pick<ResponseScanner, "length" | "ttlCount" | "ttls">;

/**
 * A response without OPT, and the offsets of its TTLs.
 *
 * ```
 *  memory:  ... | header | question | answer, authority, additional | ttl table | ...
 *               ^offset (multiple of 8)                             ^ttlsAt (multiple of 2)
 *               |<------------------- length ---------------------->|
 * ```
 *
 * The table has `ttlCount` 16-bit offsets from the message's start, little-endian, in record order.
 * The question is the exchange's, except for case.
 */
export class Response {
  memory: Memory;
  offset = 0;
  length = 0;
  ttlsAt = 0;
  ttlCount = 0;
  /** For every record; -1 leaves them unchanged. */
  ttlSeconds = -1;
  /** Upper eight bits (RFC 6891 section 6.1.3). */
  extendedRcode = 0;
  cached = false;
  /** Since the cache got it; -1 if it is not from there. */
  ageSeconds = -1;
  /** One of `KIND`; `UNKNOWN` until classified. */
  kind = 0;
  /** If `kind` is known; Infinity without records. */
  minTtlSeconds = Infinity;
  /** RFC 7871 section 7.2.1, or one of `NO_SCOPE`. */
  ecsScope: number = NO_SCOPE.NEEDED;
  /** The source's (RFC 8914), or -1. */
  extendedError = -1;
  errorText: ErrorText = new ErrorText();

  constructor(memory: Memory) {
    this.memory = memory;
  }

  /** Omits malformed questions. */
  begin(question: Question, rcode: number, flags: number): void {
    const { bytes, view } = this.memory;
    const questionLength = question.qnameLength === 0 ? 0 : question.qnameLength + 4;
    view.setUint16(0, question.id);
    view.setUint16(2, FLAG.QR | flags | (rcode & FLAG.RCODE));
    view.setUint16(4, questionLength === 0 ? 0 : 1);
    view.setUint16(6, 0);
    view.setUint32(8, 0);
    const from = question.memory.bytes;
    const at = question.offset + HEADER_SIZE;
    for (let i = 0; i < questionLength; i++) bytes[HEADER_SIZE + i] = from[at + i]!;
    this.length = HEADER_SIZE + questionLength;
    this.ttlCount = 0;
    this.ttlSeconds = -1;
    this.extendedRcode = rcode >> 4;
    this.cached = false;
    this.ageSeconds = -1;
    this.kind = 0;
    this.ecsScope = NO_SCOPE.NEEDED;
    this.extendedError = -1;
  }

  /** Points to a whole message at the start of `memory`, and writes the table behind it. */
  point(memory: Memory, { length, ttlCount, ttls }: Described): void {
    this.memory = memory;
    this.offset = 0;
    this.length = length;
    this.ttlsAt = (length + 1) & ~1;
    this.ttlCount = ttlCount;
    for (let i = 0; i < ttlCount; i++) memory.view.setUint16(this.ttlsAt + 2 * i, ttls[i]!, true);
  }

  get flags(): number {
    return this.memory.view.getUint16(this.offset + 2);
  }

  get rcode(): number {
    return (this.flags & FLAG.RCODE) | (this.extendedRcode << 4);
  }

  get answerCount(): number {
    return this.memory.view.getUint16(this.offset + 6);
  }

  get authorityCount(): number {
    return this.memory.view.getUint16(this.offset + 8);
  }

  /** Offset of a record's TTL in the message. */
  ttlAt(record: number): number {
    return this.memory.view.getUint16(this.ttlsAt + 2 * record, true);
  }

  typeOf(record: number): number {
    return this.memory.view.getUint16(this.offset + this.ttlAt(record) - 4);
  }
}
