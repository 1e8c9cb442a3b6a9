import { FLAG, HEADER_SIZE, RCODE, TYPE } from "../../dns/constants.ts";
import { Memory } from "../../engine/memory.ts";
import { OPT_SIZE, PACKET_SIZE, sameQuestion, sameSpelling } from "../message/inquiry.ts";

/** A query's connection. */
export interface Carrier {
  readonly readyMs: number;
}

/** `why` is for operators. */
export interface TransportFailure {
  /**
   * - "refused": the server is unreachable, or refuses.
   * - "broken": the connection closed before the answer.
   * - "forged": so many wrong replies that someone may be guessing.
   * - "misspelt": only the case differs.
   * - "exhausted": no sockets or ports, or too many waiting queries.
   */
  readonly kind: "refused" | "broken" | "forged" | "misspelt" | "exhausted";
  readonly why: string;
}

/** Failures with fixed texts. */
export const FAILURE = {
  NO_SOCKET: { kind: "exhausted", why: "no port or file descriptor is free" },
  CANNOT_SEND: { kind: "refused", why: "cannot send" },
  REFUSED: { kind: "refused", why: "connection refused" },
  FORGED: { kind: "forged", why: "wrong replies over UDP" },
  MISSPELT: { kind: "misspelt", why: "the question came back misspelt" },
  UNREAD: { kind: "broken", why: "the server does not read" },
  CROWDED: { kind: "exhausted", why: "too many queries wait to connect" },
  /** The connection's thread is too busy. */
  BUSY: { kind: "exhausted", why: "too much is under way to upstreams over TLS" },
  CANNOT_CONNECT: { kind: "refused", why: "cannot connect" },
} as const satisfies Record<string, TransportFailure>;

/** Callbacks of a query. */
export interface TransportHandler {
  /** At offset 0, with room for tables behind. */
  replied(memory: Memory, length: number): void;
  failed(failure: TransportFailure): void;
}

/** Results of comparing a message with a query. */
export const MATCH = { ANSWER: 0, MISSPELT: 1, OTHER: 2 } as const;

/** May lack the question. */
const BARE_CODES: readonly number[] = [RCODE.FORMERR, RCODE.SERVFAIL, RCODE.NOTIMP, RCODE.REFUSED];

/** A query to one server, over any transport. */
export class Outgoing {
  readonly handler: TransportHandler;
  readonly packet = new Memory(PACKET_SIZE);
  length = 0;
  questionLength = 0;
  exactCase = false;
  /** Null over UDP or waiting. */
  carrier: Carrier | null = null;
  carrierId = 0;
  sentMs = 0;
  /** Resends elsewhere. */
  moves = 0;
  /** May still answer. */
  movedFrom: Carrier | null = null;
  wasFirst = false;
  reclaimed = false;
  misspelt = false;

  constructor(handler: TransportHandler) {
    this.handler = handler;
  }

  begin(nowMs: number): void {
    this.carrier = null;
    this.moves = 0;
    this.movedFrom = null;
    this.reclaimed = false;
    this.sentMs = nowMs;
  }

  get streamedSinceMs(): number {
    return this.carrier === null ? Infinity : Math.max(this.sentMs, this.carrier.readyMs);
  }

  /** False if it was the only connection. */
  leave(carrier: Carrier): boolean {
    if (this.carrier !== carrier) {
      if (this.movedFrom === carrier) this.movedFrom = null;
      return true;
    }
    this.carrier = this.movedFrom;
    this.movedFrom = null;
    return this.carrier !== null;
  }

  /** Ignores the id; returns a `MATCH`. */
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

/** Only an error or truncation (RFC 1035). */
function isBare({ view }: Memory, length: number): boolean {
  if (view.getUint32(6) !== 0) return false;
  const flags = view.getUint16(2);
  if ((flags & FLAG.TC) !== 0 || BARE_CODES.includes(flags & FLAG.RCODE)) return true;
  const opt = HEADER_SIZE;
  return length >= opt + OPT_SIZE && view.getUint8(opt) === 0 &&
    view.getUint16(opt + 1) === TYPE.OPT && view.getUint8(opt + 5) !== 0;
}
