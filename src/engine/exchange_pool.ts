import { LOOP_MARK_SIZE } from "../dns/constants.ts";
import type { Chain } from "./chain.ts";
import { CLIENT_BUCKETS, Exchange } from "./exchange.ts";
import { Memory } from "./memory.ts";

/** Header, the longest name, type and class, a client subnet, a mark, and the slack of word reads. */
const QUERY_SIZE = 312;
/**
 * Share of the free exchanges that one client may hold. `n` clients that come one after the other and
 * want all leave (2/3)^n of the pool free, and 2 / (2 + n) once their waits have begun to end. The
 * share also bounds how many answers one client can pile up to have them sent at once (DNSBomb, IEEE
 * S&P 2024).
 */
const FREE_SHARE = 1 / 2;

/**
 * Exchanges that wait, with a copy of their question; used again, and never more than `limit`.
 *
 * A client (bucket) may hold half as many exchanges as are free: a third of all where it is alone,
 * and in the long run a quarter each where two want all, which leaves half to everybody else. No
 * client has to be known beforehand (dynamic thresholds, Choudhury and Hahne, 1998).
 */
export class ExchangePool {
  readonly #free: Exchange[] = [];
  readonly #limit: number;
  readonly #chain: Chain;
  #used = 0;
  readonly #counts = new Int32Array(CLIENT_BUCKETS);

  constructor(limit: number, chain: Chain) {
    this.#limit = limit;
    this.#chain = chain;
  }

  /** Every exchange is in use. */
  get full(): boolean {
    return this.#used >= this.#limit;
  }

  /** Exchanges in use. */
  get used(): number {
    return this.#used;
  }

  /** Exchanges in use and those kept for the next queries. */
  get size(): number {
    return this.#used + this.#free.length;
  }

  /** Copies an exchange into one that may be kept; null if none is free, or the client has its share. */
  take(from: Exchange): Exchange | null {
    const client = from.client < 0 ? 0 : from.client;
    if (this.#counts[client]! >= FREE_SHARE * (this.#limit - this.#used)) return null;
    this.#used++;
    this.#counts[client]!++;
    const to = this.#free.pop() ?? new Exchange(new Memory(QUERY_SIZE), this.#chain);
    const source = from.memory.bytes;
    const target = to.memory.bytes;
    const size = 12 + from.qnameLength + 4;
    for (let i = 0, at = from.offset; i < size; i++, at++) target[i] = source[at]!;
    to.offset = 0;
    to.length = from.length;
    to.id = from.id;
    to.flags = from.flags;
    to.qnameLength = from.qnameLength;
    to.qtype = from.qtype;
    to.qclass = from.qclass;
    to.hash = from.hash;
    to.labelCount = from.labelCount;
    to.mixedCase = from.mixedCase;
    to.edns = from.edns;
    to.ednsSize = from.ednsSize;
    to.ednsVersion = from.ednsVersion;
    to.dnssecOk = from.dnssecOk;
    to.ecsLength = from.ecsLength;
    to.ecsAt = size;
    for (let i = 0, at = from.offset + from.ecsAt; i < from.ecsLength; i++) {
      target[size + i] = source[at + i]!;
    }
    to.markAt = 0;
    if (from.markAt > 0) {
      to.markAt = size + from.ecsLength;
      for (let i = 0, at = from.offset + from.markAt; i < LOOP_MARK_SIZE; i++) {
        target[to.markAt + i] = source[at + i]!;
      }
    }
    to.client = client;
    to.transport = from.transport;
    to.listener = from.listener;
    to.zone = from.zone;
    to.slot = from.slot;
    to.returnAddress = -1;
    to.stream = from.stream;
    to.internal = false;
    to.parked = true;
    to.receivedMs = from.receivedMs;
    to.chain = from.chain;
    to.position = from.position;
    to.top = from.top;
    to.response = null;
    to.extendedError = from.extendedError;
    to.payloadSize = from.payloadSize;
    to.maxUdpSize = from.maxUdpSize;
    to.rate = from.rate;
    to.nsid = from.nsid;
    to.error = from.error;
    to.only = from.only;
    to.intoLoops = from.intoLoops;
    to.uncacheable = false;
    to.nextWaiter = null;
    return to;
  }

  /** Gives an exchange back. */
  release(exchange: Exchange): void {
    if (!exchange.parked) return;
    exchange.parked = false;
    exchange.stream = null;
    exchange.response = null;
    exchange.nextWaiter = null;
    exchange.only = null;
    exchange.chain = this.#chain;
    this.#used--;
    this.#counts[exchange.client]!--;
    this.#free.push(exchange);
  }
}
