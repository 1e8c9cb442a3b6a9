import { FLAG, HEADER_SIZE, RCODE, TYPE } from "../../dns/constants.ts";
import { Memory } from "../../engine/memory.ts";
import { OPT_SIZE } from "../message/edns.ts";
import { PACKET_SIZE, sameQuestion, sameSpelling } from "../message/inquiry.ts";

/** A connection, as far as its queries know it. */
export interface Carrier {
  /** When it was established, in monotonic milliseconds; Infinity before. */
  readonly readyMs: number;
}

/** Why a query or its answer was not transported. */
export interface TransportFailure {
  /**
   * - "refused": the server cannot be reached, or refuses.
   * - "broken": the connection closed before the answer arrived.
   * - "forged": so many wrong replies arrived that somebody may be guessing.
   * - "misspelt": the replies are right except for the case of letters.
   * - "exhausted": this host has no socket or port left, or too many queries wait.
   */
  readonly kind: "refused" | "broken" | "forged" | "misspelt" | "exhausted";
  /** For the operator. */
  readonly why: string;
}

/** Transport failures with fixed texts. */
export const FAILURE = {
  NO_SOCKET: { kind: "exhausted", why: "no port or file descriptor is free" },
  CANNOT_SEND: { kind: "refused", why: "cannot send" },
  REFUSED: { kind: "refused", why: "connection refused" },
  FORGED: { kind: "forged", why: "wrong replies over UDP" },
  MISSPELT: { kind: "misspelt", why: "the question came back misspelt" },
  UNREAD: { kind: "broken", why: "the server does not read" },
  CROWDED: { kind: "exhausted", why: "too many queries wait to connect" },
  /** The connection is fine, but the thread that serves it is too busy. */
  BUSY: { kind: "exhausted", why: "too much is under way to upstreams over TLS" },
  CANNOT_CONNECT: { kind: "refused", why: "cannot connect" },
} as const satisfies Record<string, TransportFailure>;

/** Receives the end of a query's transport. */
export interface TransportHandler {
  /** A message that answers the query: at offset 0 of `memory`, with room for tables after it. */
  replied(memory: Memory, length: number): void;
  /** No answer will arrive this way. */
  failed(failure: TransportFailure): void;
}

/** How a message compares with a query. */
export const MATCH = {
  ANSWER: 0,
  /** It repeats the question, but not its case as required. */
  MISSPELT: 1,
  OTHER: 2,
} as const;

/** Response codes of replies that may lack the question. */
const BARE_CODES: readonly number[] = [RCODE.FORMERR, RCODE.SERVFAIL, RCODE.NOTIMP, RCODE.REFUSED];

/** A query in wire form to one server, over any transport. */
export class Outgoing {
  readonly handler: TransportHandler;
  readonly packet = new Memory(PACKET_SIZE);
  /** Octets of `packet` in use. */
  length = 0;
  /** Octets of its question. */
  questionLength = 0;
  /** The reply must repeat the case of the question's letters. */
  exactCase = false;
  /** Its connection and its id there; null over UDP and while it waits for a connection. */
  carrier: Carrier | null = null;
  carrierId = 0;
  /** When it was passed to its connection, in monotonic milliseconds. */
  sentMs = 0;
  /** Times that it was sent again on another connection. */
  moves = 0;
  /** The previous connection, which may still bring the answer. */
  movedFrom: Carrier | null = null;
  /** It was the oldest query there. */
  wasFirst = false;
  /** It was the oldest query of a used connection, and made room for others. */
  reclaimed = false;
  /** Its reply on a stream was right except for the case of letters. */
  misspelt = false;

  constructor(handler: TransportHandler) {
    this.handler = handler;
  }

  /** Resets what the connections of the previous send left. */
  begin(nowMs: number): void {
    this.carrier = null;
    this.moves = 0;
    this.movedFrom = null;
    this.reclaimed = false;
    this.sentMs = nowMs;
  }

  /** Since when it waits on a connection for its reply, in monotonic ms; Infinity until connected. */
  get streamedSinceMs(): number {
    return this.carrier === null ? Infinity : Math.max(this.sentMs, this.carrier.readyMs);
  }

  /** Detaches a connection; returns false if it was the only one, so the handler must be told. */
  leave(carrier: Carrier): boolean {
    if (this.carrier !== carrier) {
      if (this.movedFrom === carrier) this.movedFrom = null;
      return true;
    }
    this.carrier = this.movedFrom;
    this.movedFrom = null;
    return this.carrier !== null;
  }

  /** Compares a message, except for its id; returns one of `MATCH`. */
  compare(memory: Memory, length: number): number {
    const { view } = memory;
    if (length < HEADER_SIZE) return MATCH.OTHER;
    const flags = view.getUint16(2);
    if ((flags & FLAG.QR) === 0 || (flags & FLAG.OPCODE) !== 0) return MATCH.OTHER;
    const questions = view.getUint16(4);
    if (questions === 0) return isBare(memory, length) ? MATCH.ANSWER : MATCH.OTHER;
    if (questions !== 1 || length < HEADER_SIZE + this.questionLength) return MATCH.OTHER;
    if (!sameQuestion(this.packet, memory, 0, this.questionLength)) return MATCH.OTHER;
    return !this.exactCase || sameSpelling(this.packet, memory, this.questionLength)
      ? MATCH.ANSWER
      : MATCH.MISSPELT;
  }
}

/**
 * Whether a message without question and records is an error or truncated (RFC 1035 does not require
 * the question); OPT may carry the error.
 */
function isBare({ view }: Memory, length: number): boolean {
  if (view.getUint32(6) !== 0) return false;
  const flags = view.getUint16(2);
  if ((flags & FLAG.TC) !== 0 || BARE_CODES.includes(flags & FLAG.RCODE)) return true;
  const opt = HEADER_SIZE;
  return length >= opt + OPT_SIZE && view.getUint8(opt) === 0 &&
    view.getUint16(opt + 1) === TYPE.OPT && view.getUint8(opt + 5) !== 0;
}
