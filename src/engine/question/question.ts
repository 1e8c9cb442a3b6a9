import type { Memory } from "../memory.ts";

/** A parsed question in its message. */
export class Question {
  memory: Memory;
  offset = 0;
  length = 0;
  id = 0;
  flags = 0;
  /** Wire form, with the root. */
  qnameLength = 0;
  qtype = 0;
  qclass = 0;
  /** Keyed: lower-cased qname, qtype, qclass, DO and CD; signed. */
  hash = 0;
  /** Without the root. */
  labelCount = 0;
  mixedCase = false;
  /** RFC 3225. */
  dnssecOk = false;
  /** Client subnet's data (RFC 7871) in the message. */
  ecsAt = 0;
  /** 0 without a valid option. */
  ecsLength = 0;

  constructor(memory: Memory) {
    this.memory = memory;
  }
}
