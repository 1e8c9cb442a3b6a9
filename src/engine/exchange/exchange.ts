import { MAX_SUBNET_SIZE } from "../../dns/client_subnet.ts";
import { EDNS_PAYLOAD, FLAG, HEADER_SIZE, LOOP_MARK_SIZE } from "../../dns/constants.ts";
import { Memory } from "../memory.ts";
import type { HashKey } from "../question/keyed_hash.ts";
import { Question } from "../question/question.ts";
import { hashQuestion, readQuestion } from "../question/read.ts";
import { DEFAULT_RATE, type ResponseRate } from "../response/limiter.ts";
import type { Response } from "../response/response.ts";
import { type DatagramOrigin, INTERNAL, type Origin } from "./origin.ts";

/** Received over UDP. */
export const UDP = 0;
/** Received over TCP. */
export const TCP = 1;

/** Client buckets, by keyed hash of the address. */
export const CLIENT_BUCKETS = 1024;

/** Header, longest question, two client subnets, mark, slack. */
const QUERY_SIZE = 336;

/** Ask the next handler. */
export const NEXT = 0;
/** `exchange.response` is set. */
export const ANSWERED = 1;
/** Parked; `resume` or `proceed` will follow. */
export const WAIT = 2;
/** Send no answer. */
export const DROP = 3;
/** Result of a handler. */
export type Verdict = typeof NEXT | typeof ANSWERED | typeof WAIT | typeof DROP;

/** Reorders a response. Must not allocate. */
export interface RecordOrder {
  /** The copy is at `outOffset`. */
  arrange(exchange: Exchange, out: Memory, outOffset: number): void;
}

/** Handlers of a server block (`HandlerChain`). */
export interface Chain {
  readonly recursive: boolean;
  readonly flagsSet: number;
  readonly flagsCleared: number;
  readonly recordOrder: RecordOrder | null;
  /** Of answers, by `answeredBy` + 1. */
  readonly sources: readonly string[];
  /** By `answeredBy` + 1. */
  readonly answerCounters: Int32Array;
  pluginAt(position: number): string | undefined;
  /** From `start` down. */
  descend(exchange: Exchange, start: number): Verdict;
  /** True if a handler above `from` waits and will call `rise`. */
  rise(exchange: Exchange, from: number): boolean;
  sent(exchange: Exchange, sizeBytes: number): void;
}

const NO_OPTIONS = new Uint8Array(0);

/** Of queries before they are routed. */
export const NO_CHAIN: Chain = {
  recursive: false,
  flagsSet: 0,
  flagsCleared: 0,
  recordOrder: null,
  sources: [],
  answerCounters: new Int32Array(0),
  pluginAt: () => undefined,
  descend: () => NEXT,
  rise: () => false,
  sent: () => {},
};

/**
 * A query being answered. A reused one, in the receive buffer, serves immediate answers; handlers
 * may keep only parked ones.
 */
export class Exchange extends Question {
  edns = false;
  ednsSize = 0;
  ednsVersion = 0;
  /** Offset in the message, if `edns`. */
  optionsAt = 0;
  optionsLength = 0;
  /** Loop probe's mark, or 0. */
  markAt = 0;

  origin: Origin = INTERNAL;
  listener = 0;
  /** Index among the listener's zones, or -1. */
  zone = -1;
  parked = false;
  receivedMs = 0;
  /** Bucket; -1 until computed. */
  client = -1;

  chain: Chain;
  position = 0;
  /** Where an internal exchange's response stops. */
  top = 0;
  /** Handler's position, or -1 for the engine. */
  answeredBy = -1;
  response: Response | null = null;
  /** Expired entry, served by `cache` (RFC 8767). */
  stale = false;
  /** Label of the responding server, or "". */
  upstream = "";
  /** Queries to upstreams for this one. */
  asks = 0;
  hedged = false;
  /** For the client (RFC 8914), or -1. */
  extendedError = -1;
  payloadSize: number = EDNS_PAYLOAD;
  maxUdpSize: number = EDNS_PAYLOAD;
  rate: ResponseRate | null = DEFAULT_RATE;
  /** For the client (RFC 5001). */
  nsid: Uint8Array | null = null;
  error = "";
  /** Queries that `error` failed: all at the first waiter, 0 at others. */
  errorQueries = 1;
  /** Null for any server. */
  only: object | null = null;
  intoLoops = false;
  /** Already cached, or irrelevant to the name. */
  uncacheable = false;
  generation = 0;
  /** Wire form; never changed in place. */
  upstreamOptions: Uint8Array = NO_OPTIONS;
  nextWaiter: Exchange | null = null;

  #own: Memory | null = null;
  #substitute: Memory | null = null;
  /** The client's, while substituted. */
  #original: Exchange | null = null;
  #substituted = false;
  #kept: DatagramOrigin | null = null;

  constructor(memory: Memory, chain: Chain = NO_CHAIN) {
    super(memory);
    this.chain = chain;
  }

  /** Its time is set before: a double passed on may be allocated. */
  begin(): void {
    this.response = null;
    this.stale = false;
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
   * Parks this as an internal query; its response rises to `top`. Copies only name, type, DO, CD
   * and client subnet: the rest must not influence the cache.
   */
  beginInternal(from: Exchange, top: number): void {
    Object.assign(this, from);
    this.park();
    this.origin = INTERNAL;
    this.client = Math.max(0, from.client);
    this.flags = FLAG.RD | (from.flags & FLAG.CD);
    this.top = top;
    this.stale = false;
    this.#forgetUpstreams();
    this.extendedError = -1;
    this.error = "";
    this.nextWaiter = null;
  }

  /** Parks this as an operator's query. */
  beginAsked(from: Exchange): void {
    Object.assign(this, from);
    this.park();
  }

  clear(): void {
    this.#forgetUpstreams();
    this.parked = false;
    this.origin = INTERNAL;
    this.response = null;
    this.nextWaiter = null;
    this.only = null;
    this.#substituted = false;
    this.chain = NO_CHAIN;
  }

  /** Only parked exchanges ask upstreams: `begin` need not reset this. */
  #forgetUpstreams(): void {
    this.upstream = "";
    this.asks = 0;
    this.hedged = false;
    this.errorQueries = 1;
  }

  /**
   * For handlers below; the caller must `restoreQuestion`.
   * @param name - in lower-case wire form
   * @param subnet - for upstreams (RFC 7871), empty for none; null: the client's
   */
  substituteQuestion(
    name: Uint8Array,
    { qtype, qclass, subnet }: { qtype: number; qclass: number; subnet: Uint8Array | null },
    key: HashKey,
  ): void {
    const original = this.#original ??= new Exchange(this.memory);
    if (!this.#substituted) {
      original.#assignQuestion(this);
      original.#copyQuestion(this);
    }
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

  restoreQuestion(): void {
    if (!this.#substituted) return;
    this.#substituted = false;
    this.#assignQuestion(this.#original!);
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

  #copyRest({ memory, offset, ecsAt, ecsLength, markAt }: Exchange, to: Uint8Array, at: number) {
    const from = memory.bytes;
    for (let i = 0; i < ecsLength; i++) to[at + i] = from[offset + ecsAt + i]!;
    const end = at + ecsLength;
    if (markAt > 0) {
      for (let i = 0; i < LOOP_MARK_SIZE; i++) to[end + i] = from[offset + markAt + i]!;
      this.markAt = end;
    }
    this.ecsAt = at;
    // Handlers read options before anything waits.
    this.optionsLength = 0;
  }

  get transport(): typeof UDP | typeof TCP {
    const { origin } = this;
    if (origin.kind === "asked") return origin.streamed ? TCP : UDP;
    return origin.kind === "stream" ? TCP : UDP;
  }

  /** From nodens, e.g. a refresh. */
  get internal(): boolean {
    return this.origin.kind === "internal";
  }

  get recursionDesired(): boolean {
    return (this.flags & FLAG.RD) !== 0;
  }

  get checkingDisabled(): boolean {
    return (this.flags & FLAG.CD) !== 0;
  }
}
