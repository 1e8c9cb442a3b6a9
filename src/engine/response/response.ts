import { ErrorText } from "../../dns/error_text.ts";
import { Memory } from "../memory.ts";

/** What a response says instead of the scope of a client subnet; clients are told none. */
export const NO_SCOPE = {
  /** It does not depend on the client's subnet. */
  NEEDED: -1,
  /** Whoever made it was not told of the client's subnet, so it may be wrong for other clients. */
  KNOWN: -2,
} as const;

/**
 * A response on its way to a client: a whole message without its OPT record, and where its TTLs are.
 *
 * ```
 *  memory:  ... | header | question | answer, authority, additional | ttl table | ...
 *               ^offset (multiple of 8)                             ^ttlsAt (multiple of 2)
 *               |<------------------- length ---------------------->|
 * ```
 *
 * The ttl table holds `ttlCount` 16-bit numbers in the machine's byte order: the offset of each
 * record's TTL field from the start of the message, in the order of the records. The question
 * section holds exactly the question of the exchange it answers (case aside).
 *
 * Handlers describe a response; the engine alone writes it out (`clients/compose.ts`).
 */
export class Response {
  memory: Memory;
  offset = 0;
  length = 0;
  ttlsAt = 0;
  ttlCount = 0;
  /** TTL in seconds to give every record, or -1 to leave each as it stands in the message. */
  ttlSeconds = -1;
  /** Upper eight bits of an extended response code (RFC 6891 section 6.1.3). */
  extendedRcode = 0;
  /** True for a response out of a cache. */
  cached = false;
  /** What it says, one of `KIND`, where that is known already. */
  kind = 0;
  /** Lowest TTL of its records in seconds, where `kind` is known; Infinity without records. */
  minTtlSeconds = Infinity;
  /** Scope of the client subnet that it is for (RFC 7871 section 7.2.1), or one of `NO_SCOPE`. */
  ecsScope: number = NO_SCOPE.NEEDED;
  /** Extended DNS Error that it came with from elsewhere (RFC 8914), or -1. */
  extendedError = -1;
  /** Text of that error; says nothing where there is none. */
  errorText: ErrorText = new ErrorText();

  constructor(memory: Memory) {
    this.memory = memory;
  }

  /** Takes over everything that `other` says. */
  assign(other: Response): void {
    Object.assign(this, other);
  }

  /** The header's second word: QR, opcode, flags and the lower four bits of the response code. */
  get flags(): number {
    return this.memory.view.getUint16(this.offset + 2);
  }

  /** The whole response code, extended bits included. */
  get rcode(): number {
    return (this.flags & 0xf) | (this.extendedRcode << 4);
  }

  /** Records in the answer section. */
  get answerCount(): number {
    return this.memory.view.getUint16(this.offset + 6);
  }

  /** Records in the authority section. */
  get authorityCount(): number {
    return this.memory.view.getUint16(this.offset + 8);
  }
}
