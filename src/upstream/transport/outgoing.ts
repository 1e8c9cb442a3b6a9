import { FLAG, HEADER_SIZE, RCODE, TYPE } from "../../dns/constants.ts";
import { Memory } from "../../engine/memory.ts";
import { OPT_SIZE } from "../message/edns_option.ts";
import { PACKET_SIZE, sameQuestion, sameSpelling } from "../message/inquiry.ts";

/** What carries a query that goes over a stream; its transport knows more. */
export interface Carrier {
  /** When the connection was established, in monotonic milliseconds; Infinity before. */
  readonly readyMs: number;
}

/** Why a query could not be carried to a server, or its answer not back. */
export interface TransportFailure {
  /**
   * - "refused": nothing listens there, or it cannot be reached.
   * - "broken": the connection went before the answer came.
   * - "forged": so many wrong replies came that somebody may be guessing.
   * - "misspelt": the replies are right but for the case of their letters.
   * - "exhausted": this host has no socket or port to send from, or too many queries wait.
   */
  readonly kind: "refused" | "broken" | "forged" | "misspelt" | "exhausted";
  /** For the operator. */
  readonly why: string;
}

/** What a transport tells of a query that it carries. */
export interface TransportHandler {
  /** A message that answers the query: at offset 0 of `memory`, with room for tables behind. */
  replied(memory: Memory, length: number): void;
  /** No answer will come this way. */
  failed(failure: TransportFailure): void;
}

/** How a message compares with the query that it is to answer. */
export const MATCH = {
  ANSWER: 0,
  /** It repeats the question in other case, where the query's own was wanted back. */
  MISSPELT: 1,
  /** It answers something else. */
  OTHER: 2,
} as const;

/** Codes that a reply of a header alone may have: it repeats no question. */
const BARE_CODES: readonly number[] = [
  RCODE.FORMERR,
  RCODE.SERVFAIL,
  RCODE.NOTIMP,
  RCODE.REFUSED,
];

/** A query in wire form on its way to one server, whichever transport carries it. */
export class Outgoing {
  readonly handler: TransportHandler;
  readonly packet = new Memory(PACKET_SIZE);
  /** Octets of `packet` in use. */
  length = 0;
  /** Octets of its question. */
  questionLength = 0;
  /** The reply must repeat the case of the question's letters. */
  exactCase = false;
  /** The connection that carries it and its id there; null over UDP and while it waits for one. */
  carrier: Carrier | null = null;
  carrierId = 0;
  /** When it was handed to its connection, in monotonic milliseconds. */
  sentMs = 0;
  /** It waits for a connection. */
  queued = false;
  /** How often it was sent again on another connection. */
  moves = 0;
  /** The connection before, which may still bring the answer. */
  movedFrom: Carrier | null = null;
  /** Nothing was ahead of it there. */
  wasFirst = false;
  /** It made room for others on a connection that had answered before, with nothing ahead of it. */
  reclaimed = false;
  /** Its reply came over a stream, right but for the case of the question's letters. */
  misspelt = false;

  constructor(handler: TransportHandler) {
    this.handler = handler;
  }

  /** Is to be sent from now on, over whichever connection. */
  begin(nowMs: number): void {
    this.carrier = null;
    this.moves = 0;
    this.movedFrom = null;
    this.reclaimed = false;
    this.queued = false;
    this.sentMs = nowMs;
  }

  /**
   * A connection does not carry it any more; returns false where it was the only one, so that the
   * handler must be told.
   */
  leave(carrier: Carrier): boolean {
    if (this.carrier !== carrier) {
      if (this.movedFrom === carrier) this.movedFrom = null;
      return true;
    }
    this.carrier = this.movedFrom;
    this.movedFrom = null;
    return this.carrier !== null;
  }

  /** Compares a message, apart from its id; returns one of `MATCH`. */
  compare(memory: Memory, length: number): number {
    const { view } = memory;
    if (length < HEADER_SIZE) return MATCH.OTHER;
    const flags = view.getUint16(2);
    if ((flags & FLAG.QR) === 0 || (flags & FLAG.OPCODE) !== 0) return MATCH.OTHER;
    const questions = view.getUint16(4);
    // An error, or a truncated answer, may come without the question (RFC 1035 leaves it open).
    if (questions === 0) return isBare(memory, length) ? MATCH.ANSWER : MATCH.OTHER;
    if (questions !== 1 || length < HEADER_SIZE + this.questionLength) return MATCH.OTHER;
    if (!sameQuestion(this.packet, memory, 0, this.questionLength)) return MATCH.OTHER;
    return !this.exactCase || sameSpelling(this.packet, memory, this.questionLength)
      ? MATCH.ANSWER
      : MATCH.MISSPELT;
  }
}

/** Whether a message without question and records is an error or truncated; OPT may tell the error. */
function isBare({ view }: Memory, length: number): boolean {
  if (view.getUint32(6) !== 0) return false;
  const flags = view.getUint16(2);
  if ((flags & FLAG.TC) !== 0 || BARE_CODES.includes(flags & FLAG.RCODE)) return true;
  const opt = HEADER_SIZE;
  return length >= opt + OPT_SIZE && view.getUint8(opt) === 0 &&
    view.getUint16(opt + 1) === TYPE.OPT && view.getUint8(opt + 5) !== 0;
}
