import type { Memory } from "../memory.ts";

/**
 * A question where it lies in a message, with what was read of it. An exchange is one, so that
 * nothing is copied or allocated for a query.
 */
export interface Question {
  /** Where the message lies; the header starts at `offset`, the question 12 bytes on. */
  memory: Memory;
  offset: number;
  /** Size of the message in bytes. */
  length: number;
  id: number;
  /** The header's second word. */
  flags: number;
  /** Length of the wire-form qname in bytes, its closing zero included. */
  qnameLength: number;
  qtype: number;
  qclass: number;
  /** Keyed hash of the lower-cased qname with qtype, qclass, DO and CD: signed 32 bits. */
  hash: number;
  /** Number of labels, the root not counted. */
  labelCount: number;
  /** The qname has upper-case letters. */
  mixedCase: boolean;
  /** DO bit (RFC 3225). */
  dnssecOk: boolean;
  /** Offset of the data of the client subnet option (RFC 7871) from the start of the message. */
  ecsAt: number;
  /** Length of that data in bytes, 0 where the client sent none that can be used. */
  ecsLength: number;
}
