import { EDNS_PAYLOAD, FLAG } from "../dns/constants.ts";
import type { Chain } from "./chain.ts";
import type { Memory } from "./memory.ts";
import type { Response } from "./response.ts";
import { DEFAULT_RATE, type ResponseRate } from "./response_limiter.ts";
import type { ClientStream } from "./client_stream.ts";

/** Transport a query came in by. */
export const UDP = 0;
/** Transport a query came in by. */
export const TCP = 1;

/** Clients are told apart, for fairness, by ten bits of a keyed hash of their address. */
export const CLIENT_BUCKETS = 1024;

/**
 * One query being answered, from the first byte parsed to the response handed to the driver.
 *
 * A single exchange is used again for every query that is answered at once; it then points into the
 * receive buffer. An exchange that must wait is given a place of its own (`Engine.park`), so no
 * handler keeps a reference to one that it did not answer `WAIT` for.
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

  transport: typeof UDP | typeof TCP = UDP;
  /** Index of the listener in the configuration. */
  listener = 0;
  /** Place of the zone that it is answered for among those of the listener, or -1 for none. */
  zone = -1;
  /** Driver's number for the receive slot (UDP, not parked), else -1. */
  slot = -1;
  /** Driver's number for the kept return address (UDP, parked), else -1. */
  returnAddress = -1;
  /** The connection that the query came by (TCP). */
  stream: ClientStream | null = null;
  /** It has a place of its own and may wait (`Engine.park`). */
  parked = false;
  /** No client waits: a prefetch or another query of nodens' own. */
  internal = false;
  /** Monotonic milliseconds at which the query was received. */
  receivedMs = 0;

  /** Which of `CLIENT_BUCKETS` the client is in, or -1 where nobody asked yet (`clientBucket`). */
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

  constructor(memory: Memory, chain: Chain) {
    this.memory = memory;
    this.chain = chain;
  }

  /** Forgets the query before: another one has come. */
  begin(nowMs: number): void {
    this.returnAddress = -1;
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

  /**
   * Makes a parked copy of a client's query one of nodens' own, whose response rises to `top`.
   *
   * Only the key is the client's (name, type, DO, CD, client subnet). No other bit of its header or
   * of its way here may change what everybody gets out of the cache afterwards.
   */
  disown(top: number): void {
    this.internal = true;
    this.flags = FLAG.RD | (this.flags & FLAG.CD);
    this.transport = UDP;
    this.slot = -1;
    this.stream = null;
    this.top = top;
    this.error = "";
    this.extendedError = -1;
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
