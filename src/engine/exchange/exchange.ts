import { EDNS_PAYLOAD, FLAG, HEADER_SIZE, LOOP_MARK_SIZE } from "../../dns/constants.ts";
import { Memory } from "../memory.ts";
import { INTERNAL, type KeptOrigin, type Origin } from "./origin.ts";
import type { Response } from "../response/response.ts";
import { DEFAULT_RATE, type ResponseRate } from "../response/limiter.ts";
import { NEXT, type Verdict } from "./verdict.ts";

/** Transport a query came in by. */
export const UDP = 0;
/** Transport a query came in by. */
export const TCP = 1;

/** Clients are told apart, for fairness, by ten bits of a keyed hash of their address. */
export const CLIENT_BUCKETS = 1024;

/** Header, the longest name, type and class, a client subnet, a mark, and the slack of word reads. */
const QUERY_SIZE = 312;

/** The handlers of a server block, as an exchange goes through them (`HandlerChain`). */
export interface Chain {
  /** Number of handlers. */
  readonly length: number;
  /** A handler asks others on behalf of clients, so recursion is available (RA). */
  readonly recursive: boolean;
  /** Flags that every response has, and those that none has. */
  readonly flagsSet: number;
  readonly flagsCleared: number;
  /** Name of the plugin whose handler is at this position. */
  pluginAt(position: number): string | undefined;
  /**
   * Asks the handlers from position `start` on; an answer then rises through those before.
   *
   * @returns `NEXT` where none of them made anything of the query
   */
  descend(exchange: Exchange, start: number): Verdict;
  /** Shows the response to the handlers before position `from`, the nearest first. */
  rise(exchange: Exchange, from: number): void;
  /** Reports a client's query that is done with, and the size of what was sent, 0 for nothing. */
  sent(exchange: Exchange, sizeBytes: number): void;
}

/** The chain of exchanges that go through none, such as those that only hold a question. */
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
 * The engine uses one exchange again and again for queries that are answered at once; it points into
 * the receive buffer. One that must wait is parked (`Engine.park`): it copies its question into memory
 * of its own, and the engine goes on with a fresh one. So no handler keeps a reference to an exchange
 * that it did not answer `WAIT` for.
 */
export class Exchange {
  // The query, as the parser found it.

  /** Where the query lies; the header starts at `offset`, the question 12 bytes on. */
  memory: Memory;
  offset = 0;
  /** Size of the query in bytes, as received. */
  length = 0;
  id = 0;
  /** The header's second word, as received. */
  flags = 0;
  /** Length of the wire-form qname in bytes, its closing zero included. */
  qnameLength = 0;
  qtype = 0;
  qclass = 0;
  /** Keyed hash of the lower-cased qname with qtype, qclass, DO and CD: signed 32 bits. */
  hash = 0;
  /** Number of labels, the root not counted. */
  labelCount = 0;
  /** The qname has upper-case letters. */
  mixedCase = false;
  /** The client sent an OPT record. */
  edns = false;
  /** UDP payload size that the client announced, 0 without OPT. */
  ednsSize = 0;
  ednsVersion = 0;
  /** Where the options of the OPT record begin, from the start of the message; good with `edns`. */
  optionsAt = 0;
  /** Length of all options in bytes; good with `edns`. */
  optionsLength = 0;
  /** DO bit (RFC 3225). */
  dnssecOk = false;
  /** Offset of the data of the client subnet option (RFC 7871) from the start of the message. */
  ecsAt = 0;
  /** Length of that data in bytes, 0 where the client sent none that can be used. */
  ecsLength = 0;
  /** Offset of the mark of a probe for loops from the start of the message; 0 for none. */
  markAt = 0;

  // Where it came from.

  origin: Origin = INTERNAL;
  /** Index of the listener in the configuration. */
  listener = 0;
  /** Position of the zone that answers it among those of the listener, or -1 for none. */
  zone = -1;
  /** It waits, or may: the question lies in memory of its own. */
  parked = false;
  /** Monotonic milliseconds at which the query was received. */
  receivedMs = 0;

  /** Which of `CLIENT_BUCKETS` the client is in, or -1 before the first look (`clientBucket`). */
  client = -1;

  // Its way through the chain.

  chain: Chain;
  /** Index in the chain of the handler at work. */
  position = 0;
  /** Index in the chain above which responses do not rise (internal exchanges), else 0. */
  top = 0;
  /** Index in the chain of the handler that answered, or -1 for the engine itself. */
  answeredBy = -1;
  /** The response, once there is one. */
  response: Response | null = null;
  /** Extended DNS Error to tell the client (RFC 8914), or -1. */
  extendedError = -1;
  /** UDP payload size to announce, to the client and to upstreams. */
  payloadSize: number = EDNS_PAYLOAD;
  /** Largest UDP response to the client, whatever it offers (`bufsize`). */
  maxUdpSize: number = EDNS_PAYLOAD;
  /** How many large UDP responses a second may go to the client's network (`rrl`); null for any. */
  rate: ResponseRate | null = DEFAULT_RATE;
  /** Name of this server to tell the client (RFC 5001), or null. */
  nsid: Uint8Array | null = null;
  /** What went wrong, for the error log; empty when nothing did. */
  error = "";
  /** The one server that it may go to, whatever is held against that; null for any. */
  only: object | null = null;
  /** It may go to servers that lead into a loop. */
  intoLoops = false;
  /** The response is not to be kept: an equal one is already, or it says nothing of the name. */
  uncacheable = false;
  /** Next exchange that waits for the same upstream query. */
  nextWaiter: Exchange | null = null;

  /** Where the question lies while it is parked; made when first needed. */
  #own: Memory | null = null;
  /** The origin of a parked datagram; made when first needed. */
  #kept: KeptOrigin | null = null;

  constructor(memory: Memory, chain: Chain = NO_CHAIN) {
    this.memory = memory;
    this.chain = chain;
  }

  /** Forgets the query before: another one has come. */
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

  /** Parks the exchange, so that the memory that it came in may be used again. */
  park(): void {
    this.#copyQuestion(this);
    this.parked = true;
    this.response = null;
    this.uncacheable = false;
  }

  /** From now on the driver keeps the return address, under this number. */
  keep(address: number): void {
    const kept = this.#kept ??= { kind: "kept", address };
    kept.address = address;
    this.origin = kept;
  }

  /**
   * Parks this exchange as a query of nodens' own with the key of another, whose response rises to
   * `top`.
   *
   * Only the key is the client's (name, type, DO, CD, client subnet). No other bit of its header or
   * of its way here may change what everybody gets out of the cache afterwards.
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

  /** Forgets what others hold, once it is done with. */
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
    // Options are not copied: handlers look at them before anything waits.
    this.optionsLength = 0;
    this.memory = own;
    this.offset = 0;
  }

  /** Transport that it came in by. */
  get transport(): typeof UDP | typeof TCP {
    return this.origin.kind === "stream" ? TCP : UDP;
  }

  /** No client waits: a refresh or another query of nodens' own. */
  get internal(): boolean {
    return this.origin.kind === "internal";
  }

  get recursionDesired(): boolean {
    return (this.flags & 0x0100) !== 0;
  }

  get checkingDisabled(): boolean {
    return (this.flags & 0x0010) !== 0;
  }

  get authenticData(): boolean {
    return (this.flags & 0x0020) !== 0;
  }
}
