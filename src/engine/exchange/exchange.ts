import { MAX_SUBNET_SIZE } from "../../dns/client_subnet.ts";
import { EDNS_PAYLOAD, FLAG, HEADER_SIZE, LOOP_MARK_SIZE } from "../../dns/constants.ts";
import { Memory } from "../memory.ts";
import type { HashKey } from "../question/keyed_hash.ts";
import { Question } from "../question/question.ts";
import { hashQuestion, readQuestion } from "../question/read.ts";
import { DEFAULT_RATE, type ResponseRate } from "../response/limiter.ts";
import type { Response } from "../response/response.ts";
import { type DatagramOrigin, INTERNAL, type Origin } from "./origin.ts";

/** Transport of a query. */
export const UDP = 0;
/** Transport of a query. */
export const TCP = 1;

/** Number of buckets of clients, by a keyed hash of the address. */
export const CLIENT_BUCKETS = 1024;

/** Header, longest name, type and class, two client subnets, mark, and slack for word reads. */
const QUERY_SIZE = 336;

/** The handler has no answer: ask the next one in the chain. */
export const NEXT = 0;
/** `exchange.response` is set. */
export const ANSWERED = 1;
/** The handler parked the exchange and will call `resume` or `proceed` on the engine. */
export const WAIT = 2;
/** The query gets no answer. */
export const DROP = 3;
/** A handler's result. */
export type Verdict = typeof NEXT | typeof ANSWERED | typeof WAIT | typeof DROP;

/** Changes the order of records in a client's copy of a response. Allocates nothing. */
export interface RecordOrder {
  /**
   * @param outOffset - where the client's copy begins in `out`; its TTLs are in the places that
   * `response` says
   * @param answerCount - records in its answer section, which may have been truncated
   */
  arrange(
    exchange: Exchange,
    response: Response,
    out: Memory,
    outOffset: number,
    answerCount: number,
  ): void;
}

/** The handlers of a server block (`HandlerChain`). */
export interface Chain {
  readonly length: number;
  readonly recursive: boolean;
  readonly flagsSet: number;
  readonly flagsCleared: number;
  readonly recordOrder: RecordOrder | null;
  pluginAt(position: number): string | undefined;
  /** Asks the handlers from `start` down; an answer rises. Returns `NEXT` if none answered. */
  descend(exchange: Exchange, start: number): Verdict;
  /**
   * Shows the response to the handlers above position `from`, the nearest first.
   *
   * @returns whether one of them waits; it will call `rise` on the engine
   */
  rise(exchange: Exchange, from: number): boolean;
  /** Reports a client's finished query; size 0 if nothing was sent. */
  sent(exchange: Exchange, sizeBytes: number): void;
}

const NO_OPTIONS = new Uint8Array(0);

const NO_CHAIN: Chain = {
  length: 0,
  recursive: false,
  flagsSet: 0,
  flagsCleared: 0,
  recordOrder: null,
  pluginAt: () => undefined,
  descend: () => NEXT,
  rise: () => false,
  sent: () => {},
};

/**
 * One query being answered. The engine reuses one exchange for queries that are answered at once; it
 * points into the receive buffer. A parked exchange has its own copy of the question, and only to it
 * may a handler hold a reference.
 */
export class Exchange extends Question {
  edns = false;
  ednsSize = 0;
  ednsVersion = 0;
  /** The OPT record's options, from the start of the message; valid with `edns`. */
  optionsAt = 0;
  optionsLength = 0;
  /** A loop probe's mark, from the start of the message; 0 for none. */
  markAt = 0;

  origin: Origin = INTERNAL;
  listener = 0;
  /** Index among the listener's zones, or -1. */
  zone = -1;
  parked = false;
  /** Monotonic. */
  receivedMs = 0;
  /** The client's bucket, or -1 until `clientBucket` computes it. */
  client = -1;

  chain: Chain;
  position = 0;
  /** Position above which an internal exchange's response does not rise. */
  top = 0;
  /** Position of the handler that answered, or -1 for the engine. */
  answeredBy = -1;
  response: Response | null = null;
  /** Extended DNS Error to send to the client (RFC 8914), or -1. */
  extendedError = -1;
  payloadSize: number = EDNS_PAYLOAD;
  maxUdpSize: number = EDNS_PAYLOAD;
  /** Null for no limit. */
  rate: ResponseRate | null = DEFAULT_RATE;
  /** Server name for the client (RFC 5001). */
  nsid: Uint8Array | null = null;
  error = "";
  /** The only server that it may go to; null for any. */
  only: object | null = null;
  intoLoops = false;
  /** An equal response is cached already, or it says nothing about the name. */
  uncacheable = false;
  /** EDNS options in wire form for upstreams, besides nodens' own; never changed in place. */
  upstreamOptions: Uint8Array = NO_OPTIONS;
  nextWaiter: Exchange | null = null;

  #own: Memory | null = null;
  /** Memory of the question that took the place of the client's. */
  #substitute: Memory | null = null;
  /** The client's question while another is in its place. */
  #original: Exchange | null = null;
  #substituted = false;
  #kept: DatagramOrigin | null = null;

  constructor(memory: Memory, chain: Chain = NO_CHAIN) {
    super(memory);
    this.chain = chain;
  }

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
    this.upstreamOptions = NO_OPTIONS;
    this.client = -1;
    this.top = 0;
    this.#substituted = false;
    if (this.error !== "") this.error = "";
  }

  park(): void {
    this.#copyQuestion(this);
    this.parked = true;
    this.response = null;
    this.uncacheable = false;
  }

  keep(id: number): void {
    const kept = this.#kept ??= { kind: "kept", id };
    kept.id = id;
    this.origin = kept;
  }

  /**
   * Parks this exchange as an internal query for the question of another; its response rises to `top`.
   * Only name, type, DO, CD and client subnet are the client's: nothing else may influence what is
   * cached for everybody.
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

  clear(chain: Chain): void {
    this.parked = false;
    this.origin = INTERNAL;
    this.response = null;
    this.nextWaiter = null;
    this.only = null;
    this.#substituted = false;
    this.chain = chain;
  }

  /**
   * Puts another question in place of the client's, for the handlers below; a handler that does this
   * calls `restoreQuestion` when it sees the response.
   *
   * @param name - in wire form and lower case
   * @param subnet - client subnet for upstreams (RFC 7871), empty for none; null keeps the client's
   */
  substituteQuestion(
    name: Uint8Array,
    { qtype, qclass, subnet }: { qtype: number; qclass: number; subnet: Uint8Array | null },
    key: HashKey,
  ): void {
    const original = this.#original ??= new Exchange(this.memory);
    if (!this.#substituted) original.#copyQuery(this);
    this.#substituted = true;
    const memory = this.#substitute ??= new Memory(QUERY_SIZE);
    const { bytes, view } = memory;
    bytes.set(original.memory.bytes.subarray(0, HEADER_SIZE));
    bytes.set(name, HEADER_SIZE);
    const end = HEADER_SIZE + name.length;
    view.setUint16(end, qtype);
    view.setUint16(end + 2, qclass);
    this.#copyRest(original, bytes, end + 4);
    this.ecsLength = original.ecsLength;
    if (subnet !== null) {
      this.ecsAt = QUERY_SIZE - MAX_SUBNET_SIZE;
      this.ecsLength = subnet.length;
      bytes.set(subnet, this.ecsAt);
    }
    this.memory = memory;
    this.offset = 0;
    this.length = end + 4;
    readQuestion(this);
    hashQuestion(this, key);
  }

  /** Puts the client's question back; does nothing if it was not replaced. */
  restoreQuestion(): void {
    if (!this.#substituted) return;
    this.#substituted = false;
    this.#assignQuestion(this.#original!);
  }

  /** Becomes a copy of another exchange's query, in memory of its own. */
  #copyQuery(from: Exchange): void {
    this.#copyQuestion(from);
    const { memory, ecsAt, markAt } = this;
    this.#assignQuestion(from);
    this.memory = memory;
    this.offset = 0;
    this.ecsAt = ecsAt;
    this.markAt = from.markAt === 0 ? 0 : markAt;
  }

  #assignQuestion(from: Exchange): void {
    this.memory = from.memory;
    this.offset = from.offset;
    this.length = from.length;
    this.qnameLength = from.qnameLength;
    this.qtype = from.qtype;
    this.qclass = from.qclass;
    this.hash = from.hash;
    this.labelCount = from.labelCount;
    this.mixedCase = from.mixedCase;
    this.ecsAt = from.ecsAt;
    this.ecsLength = from.ecsLength;
    this.markAt = from.markAt;
    this.optionsLength = 0;
  }

  #copyQuestion(from: Exchange): void {
    const own = this.#own ??= new Memory(QUERY_SIZE);
    const { memory, offset, qnameLength } = from;
    const size = HEADER_SIZE + qnameLength + 4;
    for (let i = 0; i < size; i++) own.bytes[i] = memory.bytes[offset + i]!;
    this.#copyRest(from, own.bytes, size);
    this.memory = own;
    this.offset = 0;
  }

  /** Copies client subnet and mark of a query to `at`, behind the question. */
  #copyRest({ memory, offset, ecsAt, ecsLength, markAt }: Exchange, to: Uint8Array, at: number) {
    const from = memory.bytes;
    for (let i = 0; i < ecsLength; i++) to[at + i] = from[offset + ecsAt + i]!;
    const end = at + ecsLength;
    if (markAt > 0) {
      for (let i = 0; i < LOOP_MARK_SIZE; i++) to[end + i] = from[offset + markAt + i]!;
      this.markAt = end;
    }
    this.ecsAt = at;
    // Options are not copied: handlers read them before anything waits.
    this.optionsLength = 0;
  }

  get transport(): typeof UDP | typeof TCP {
    return this.origin.kind === "stream" ? TCP : UDP;
  }

  /** A query of nodens itself, such as a refresh. */
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
