import type { Memory } from "../memory.ts";

/** A question in place in its message, with what was read of it. */
export class Question {
  memory: Memory;
  offset = 0;
  length = 0;
  id = 0;
  flags = 0;
  /** In wire form, with its closing zero. */
  qnameLength = 0;
  qtype = 0;
  qclass = 0;
  /** Keyed hash of lower-cased qname, qtype, qclass, DO and CD: signed 32 bits. */
  hash = 0;
  /** Without the root. */
  labelCount = 0;
  mixedCase = false;
  /** DO bit (RFC 3225). */
  dnssecOk = false;
  /** Client subnet option's data (RFC 7871), from the start of the message. */
  ecsAt = 0;
  /** 0 without a valid option. */
  ecsLength = 0;

  constructor(memory: Memory) {
    this.memory = memory;
  }
}
