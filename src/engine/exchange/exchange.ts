import { EDNS_PAYLOAD, FLAG, HEADER_SIZE, LOOP_MARK_SIZE } from "../../dns/constants.ts";
import { Memory } from "../memory.ts";
import { Question } from "../question/question.ts";
import { DEFAULT_RATE, type ResponseRate } from "../response/limiter.ts";
import type { Response } from "../response/response.ts";
import { INTERNAL, type KeptOrigin, type Origin } from "./origin.ts";

/** Transport of a query. */
export const UDP = 0;
/** Transport of a query. */
export const TCP = 1;

/** Number of client buckets: ten bits of a keyed hash of the address, for fairness. */
export const CLIENT_BUCKETS = 1024;

/** Header, longest name, type and class, client subnet, mark, and slack for word reads. */
const QUERY_SIZE = 312;

/** The handler has no answer: ask the next one in the chain. */
export const NEXT = 0;
/** `exchange.response` is set. */
export const ANSWERED = 1;
/** The handler parked the exchange and will call `resume` or `proceed` on the engine. */
export const WAIT = 2;
/** The query gets no answer. */
export const DROP = 3;
/** What a handler made of a query. */
export type Verdict = typeof NEXT | typeof ANSWERED | typeof WAIT | typeof DROP;

/** The handlers of a server block (`HandlerChain`). */
export interface Chain {
  /** Number of handlers. */
  readonly length: number;
  /** A handler asks upstreams for clients, so recursion is available (RA). */
  readonly recursive: boolean;
  /** Header flags set and cleared in every response. */
  readonly flagsSet: number;
  readonly flagsCleared: number;
  /** Name of the plugin at this position. */
  pluginAt(position: number): string | undefined;
  /**
   * Asks the handlers from position `start` down; an answer rises through those above.
   *
   * @returns `NEXT` if no handler answered
   */
  descend(exchange: Exchange, start: number): Verdict;
  /** Shows the response to the handlers above position `from`, the nearest first. */
  rise(exchange: Exchange, from: number): void;
  /** Reports a client's finished query and the size of what was sent, 0 for nothing. */
  sent(exchange: Exchange, sizeBytes: number): void;
}

/** The chain of exchanges that only carry a question. */
const NO_CHAIN: Chain = {
  length: 0,
  recursive: false,
  flagsSet: 0,
  flagsCleared: 0,
  pluginAt: () => undefined,
  descend: () => NEXT,
  rise: () => {},
  sent: () => {},
};

/**
 * One query being answered, from the first byte parsed to the response handed to the driver.
 *
 * The engine reuses one exchange for queries that are answered at once; it points into the receive
 * buffer. To wait it is parked (`Engine.park`): it copies its question, and the engine continues with
 * another exchange. So a handler may only hold a reference to an exchange that it answered `WAIT` for.
 */
export class Exchange extends Question {
  // The query beyond its question.

  /** The client sent an OPT record. */
  edns = false;
  /** UDP payload size that the client announced, 0 without OPT. */
  ednsSize = 0;
  ednsVersion = 0;
  /** Offset of the OPT record's options from the start of the message; valid with `edns`. */
  optionsAt = 0;
  /** Length of all options in bytes; valid with `edns`. */
  optionsLength = 0;
  /** Offset of the mark of a loop probe from the start of the message; 0 for none. */
  markAt = 0;

  // Its origin.

  origin: Origin = INTERNAL;
  /** Index of the listener in the configuration. */
  listener = 0;
  /** Index of the matching zone among those of the listener, or -1 for none. */
  zone = -1;
  /** It may wait: the question is in its own memory. */
  parked = false;
  /** Monotonic milliseconds at which the query was received. */
  receivedMs = 0;
  /** The client's bucket of `CLIENT_BUCKETS`, or -1 until `clientBucket` computes it. */
  client = -1;

  // Its way through the chain.

  chain: Chain;
  /** Position of the handler at work. */
  position = 0;
  /** Position above which responses do not rise (internal exchanges), else 0. */
  top = 0;
  /** Position of the handler that answered, or -1 for the engine itself. */
  answeredBy = -1;
  response: Response | null = null;
  /** Extended DNS Error to send to the client (RFC 8914), or -1. */
  extendedError = -1;
  /** UDP payload size to announce, to the client and to upstreams. */
  payloadSize: number = EDNS_PAYLOAD;
  /** Largest UDP response to the client (`bufsize`). */
  maxUdpSize: number = EDNS_PAYLOAD;
  /** Rate of large UDP responses to the client's network (`rrl`); null for no limit. */
  rate: ResponseRate | null = DEFAULT_RATE;
  /** Name of this server to send to the client (RFC 5001), or null. */
  nsid: Uint8Array | null = null;
  /** What went wrong, for the error log; empty if nothing did. */
  error = "";
  /** The only server that it may go to, whatever its health; null for any. */
  only: object | null = null;
  /** It may go to servers that lead into a loop. */
  intoLoops = false;
  /** The response must not be cached: an equal one already is, or it says nothing about the name. */
  uncacheable = false;
  /** Next exchange that waits for the same upstream query. */
  nextWaiter: Exchange | null = null;

  /** The question's memory while it is parked; allocated when first needed. */
  #own: Memory | null = null;
  /** The origin of a parked datagram; allocated when first needed. */
  #kept: KeptOrigin | null = null;

  constructor(memory: Memory, chain: Chain = NO_CHAIN) {
    super(memory);
    this.chain = chain;
  }

  /** Resets the exchange for another query. */
  begin(nowMs: number): void {
    this.receivedMs = nowMs;
    this.response = null;
    this.extendedError = -1;
    this.payloadSize = EDNS_PAYLOAD;
    this.maxUdpSize = EDNS_PAYLOAD;
    this.rate = DEFAULT_RATE;
    this.nsid = null;
    this.only = null;
    this.intoLoops = false;
    this.uncacheable = false;
    this.client = -1;
    this.top = 0;
    if (this.error !== "") this.error = "";
  }

  /** Parks the exchange, so that the memory of the message may be reused. */
  park(): void {
    this.#copyQuestion(this);
    this.parked = true;
    this.response = null;
    this.uncacheable = false;
  }

  /** Sets the number under which the driver keeps the return address. */
  keep(address: number): void {
    const kept = this.#kept ??= { kind: "kept", address };
    kept.address = address;
    this.origin = kept;
  }

  /**
   * Parks this exchange as an internal query with the key of another; its response rises to `top`.
   *
   * Only the key is the client's (name, type, DO, CD, client subnet). No other bit of its header or
   * of its way here may influence what is cached for everybody.
   */
  beginOwn(from: Exchange, top: number): void {
    Object.assign(this, from);
    this.#copyQuestion(from);
    this.origin = INTERNAL;
    this.parked = true;
    this.client = Math.max(0, from.client);
    this.flags = FLAG.RD | (from.flags & FLAG.CD);
    this.top = top;
    this.response = null;
    this.extendedError = -1;
    this.uncacheable = false;
    this.error = "";
    this.nextWaiter = null;
  }

  /** Drops references to other objects once it is finished. */
  clear(chain: Chain): void {
    this.parked = false;
    this.origin = INTERNAL;
    this.response = null;
    this.nextWaiter = null;
    this.only = null;
    this.chain = chain;
  }

  /** Copies the parts of a query that outlive its receive slot, and points at the copies. */
  #copyQuestion({ memory, offset, qnameLength, ecsAt, ecsLength, markAt }: Exchange): void {
    const own = this.#own ??= new Memory(QUERY_SIZE);
    const from = memory.bytes;
    const to = own.bytes;
    const size = HEADER_SIZE + qnameLength + 4;
    for (let i = 0; i < size; i++) to[i] = from[offset + i]!;
    for (let i = 0; i < ecsLength; i++) to[size + i] = from[offset + ecsAt + i]!;
    const end = size + ecsLength;
    if (markAt > 0) {
      for (let i = 0; i < LOOP_MARK_SIZE; i++) to[end + i] = from[offset + markAt + i]!;
      this.markAt = end;
    }
    this.ecsAt = size;
    // Options are not copied: handlers read them before anything waits.
    this.optionsLength = 0;
    this.memory = own;
    this.offset = 0;
  }

  /** Transport of the query. */
  get transport(): typeof UDP | typeof TCP {
    return this.origin.kind === "stream" ? TCP : UDP;
  }

  /** A query of nodens itself, such as a refresh: no client waits. */
  get internal(): boolean {
    return this.origin.kind === "internal";
  }

  get recursionDesired(): boolean {
    return (this.flags & FLAG.RD) !== 0;
  }

  get checkingDisabled(): boolean {
    return (this.flags & FLAG.CD) !== 0;
  }

  get authenticData(): boolean {
    return (this.flags & FLAG.AD) !== 0;
  }
}
