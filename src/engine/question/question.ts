import type { Memory } from "../memory.ts";

/** A question in place in its message, with what was read of it. */
export class Question {
  /** The message's memory; the header starts at `offset`, the question 12 bytes on. */
  memory: Memory;
  offset = 0;
  /** Size of the message in bytes. */
  length = 0;
  id = 0;
  /** The header's second word. */
  flags = 0;
  /** Length of the wire-form qname in bytes, its closing zero included. */
  qnameLength = 0;
  qtype = 0;
  qclass = 0;
  /** Keyed hash of the lower-cased qname with qtype, qclass, DO and CD: signed 32 bits. */
  hash = 0;
  /** Number of labels without the root. */
  labelCount = 0;
  /** The qname has upper-case letters. */
  mixedCase = false;
  /** DO bit (RFC 3225). */
  dnssecOk = false;
  /** Offset of the data of the client subnet option (RFC 7871) from the start of the message. */
  ecsAt = 0;
  /** Length of that data in bytes, 0 if the client sent no valid option. */
  ecsLength = 0;

  constructor(memory: Memory) {
    this.memory = memory;
  }
}
