import {
  EDNS_DO,
  EDNS_PAYLOAD,
  FLAG,
  HEADER_SIZE,
  MAX_MESSAGE_SIZE,
  RCODE,
  TYPE,
} from "../../dns/constants.ts";
import { KIND } from "../../dns/response_scan.ts";
import { type Exchange, TCP } from "../../engine/exchange.ts";
import { upperMask } from "../../engine/hash.ts";
import { Memory } from "../../engine/memory.ts";
import type { Timer } from "../../engine/timers.ts";
import type { DatagramHandler } from "../../io/contract.ts";
import type { ForwardHandler } from "./handler.ts";
import type { StreamQuery, UpstreamStream } from "./streams.ts";
import type { Upstream } from "./upstream.ts";

/** Header, longest name, type, class and an OPT record. */
const PACKET_SIZE = HEADER_SIZE + 255 + 4 + 11;
/** Pause between two rounds of all upstreams where the number of attempts has no limit. */
const REST_MS = 50;

/**
 * One question on its way to the upstreams, for every exchange that asks it.
 *
 * An attempt is one packet to one upstream and its timeout. A reply counts only if it comes to the
 * socket, under the id and for the question of the attempt under way; anything else is counted,
 * dropped, and the wait goes on.
 */
export class Lookup implements DatagramHandler, StreamQuery {
  /** The exchange that asked first, and those that joined it (`nextWaiter`). */
  waiters: Exchange | null = null;
  waiterCount = 0;
  /** Key among the lookups under way, and the next one of the same key. */
  key = 0;
  next: Lookup | null = null;

  readonly #forward: ForwardHandler;
  readonly #packet = new Memory(PACKET_SIZE);
  readonly #timer: Timer;
  #packetLength = 0;
  #questionLength = 0;
  #deadlineMs = 0;
  #upstream: Upstream | null = null;
  #index = 0;
  #attempts = 0;
  #answersTried = 0;
  #downSkipped = 0;
  #id = 0;
  #socket = -1;
  #stream: UpstreamStream | null = null;
  #tcp = false;
  #plain = false;
  #sentMs = 0;
  /** All upstreams have been tried; the next round begins when the timer fires. */
  #resting = false;

  constructor(forward: ForwardHandler) {
    this.#forward = forward;
    this.#timer = forward.engine.timers.create(() => this.#timedOut());
  }

  /** Starts with the question of a parked exchange. */
  start(exchange: Exchange, firstUpstream: number): void {
    const { options, engine } = this.#forward;
    this.#writeQuestion(exchange);
    this.#index = firstUpstream;
    this.#attempts = 0;
    this.#answersTried = 0;
    this.#downSkipped = 0;
    this.#plain = false;
    this.#resting = false;
    this.#deadlineMs = engine.nowMs + this.#forward.totalMs;
    this.#tcp = options.forceTcp || (exchange.transport === TCP && !options.preferUdp);
    this.#tryNext();
  }

  /** Whether the exchange asks exactly what this lookup asks. */
  asksFor(exchange: Exchange): boolean {
    const mine = this.#packet;
    const theirs = exchange.memory;
    if (exchange.qnameLength + 4 !== this.#questionLength) return false;
    const flags = FLAG.RD | FLAG.CD;
    if (((mine.view.getUint16(2) ^ exchange.flags) & flags) !== 0) return false;
    if (this.#dnssecOk !== exchange.dnssecOk) return false;
    return this.#sameQuestion(theirs, exchange.offset);
  }

  get #dnssecOk(): boolean {
    return this.#packet.view.getUint16(HEADER_SIZE + this.#questionLength + 7) !== 0;
  }

  reply(memory: Memory, length: number): void {
    if (!this.#isReply(memory, length)) {
      this.#forward.countMismatch();
      return;
    }
    this.#accept(memory, length);
  }

  failed(): void {
    this.#attemptFailed("connection refused");
  }

  matches(memory: Memory, length: number): boolean {
    // The stream has found this query by its id, which it chose itself.
    if (this.#hasQuestion(memory, length)) return true;
    this.#forward.countMismatch();
    return false;
  }

  answered(memory: Memory, length: number): void {
    this.#stream = null;
    this.#accept(memory, length);
  }

  broken(): void {
    this.#stream = null;
    this.#attemptFailed("connection closed");
  }

  /** Ends the lookup without an answer, when its chain is retired for good. */
  abandon(): void {
    this.#fail("server is stopping");
  }

  /** Builds the query once; attempts change its id alone. The OPT record stands last. */
  #writeQuestion(exchange: Exchange): void {
    const { bytes, view } = this.#packet;
    const from = exchange.memory.bytes;
    const size = exchange.qnameLength + 4;
    view.setUint16(2, exchange.flags & (FLAG.RD | FLAG.CD | FLAG.AD));
    view.setUint16(4, 1);
    view.setUint32(6, 0);
    view.setUint16(10, 1);
    for (let i = 0, at = exchange.offset + HEADER_SIZE; i < size; i++) {
      bytes[HEADER_SIZE + i] = from[at + i]!;
    }
    this.#questionLength = size;
    let at = HEADER_SIZE + size;
    bytes[at] = 0;
    view.setUint16(at + 1, TYPE.OPT);
    view.setUint16(at + 3, EDNS_PAYLOAD);
    view.setUint16(at + 5, 0);
    view.setUint16(at + 7, exchange.dnssecOk ? EDNS_DO : 0);
    view.setUint16(at + 9, 0);
    at += 11;
    this.#packetLength = at;
  }

  /** Picks the upstream for the next attempt and sends, or gives up. */
  #tryNext(): void {
    const { upstreams, options, engine } = this.#forward;
    const limit = options.maxConnectAttempts ?? 2 * upstreams.length;
    let rested = this.#resting;
    this.#resting = false;
    for (;;) {
      if (engine.nowMs >= this.#deadlineMs || (limit > 0 && this.#attempts >= limit)) {
        this.#fail("");
        return;
      }
      if (limit === 0 && !rested && this.#attempts > 0 && this.#attempts % upstreams.length === 0) {
        // Attempts without a limit: where failures come at once, they must not follow at once.
        this.#resting = true;
        engine.timers.set(this.#timer, Math.min(engine.nowMs + REST_MS, this.#deadlineMs));
        return;
      }
      let upstream = upstreams[this.#index % upstreams.length]!;
      this.#index++;
      if (upstream.down) {
        this.#downSkipped++;
        if (this.#downSkipped < upstreams.length) continue;
        // All are down: either the checks are wrong or nothing helps, so try one anyway.
        this.#forward.countAllDown();
        if (options.failfastAllUnhealthyUpstreams) {
          this.#fail("no healthy proxies");
          return;
        }
        upstream = upstreams[engine.random() % upstreams.length]!;
        this.#downSkipped = 0;
      }
      rested = false;
      this.#attempts++;
      this.#upstream = upstream;
      if (this.#send(upstream)) return;
      upstream.check();
      this.#forward.lastError = `${upstream.label}: cannot send`;
    }
  }

  #send(upstream: Upstream): boolean {
    const { engine, io, options } = this.#forward;
    const length = this.#plain ? this.#packetLength - 11 : this.#packetLength;
    this.#packet.view.setUint16(10, this.#plain ? 0 : 1);
    this.#sentMs = engine.nowMs;
    const dueMs = Math.min(engine.nowMs + options.readTimeoutMs, this.#deadlineMs);
    engine.timers.set(this.#timer, dueMs);
    if (this.#tcp) {
      this.#stream = upstream.streams.ask(this, this.#packet, 0, length);
      return this.#stream !== null;
    }
    this.#id = engine.random() & 0xffff;
    this.#packet.view.setUint16(0, this.#id);
    this.#socket = io.open(upstream.endpoint, this);
    if (this.#socket < 0) return false;
    if (io.send(this.#socket, this.#packet, 0, length)) return true;
    this.#letGo();
    return false;
  }

  #isReply(memory: Memory, length: number): boolean {
    return length >= HEADER_SIZE && memory.view.getUint16(0) === this.#id &&
      this.#hasQuestion(memory, length);
  }

  #hasQuestion(memory: Memory, length: number): boolean {
    const { view } = memory;
    const flags = view.getUint16(2);
    if ((flags & FLAG.QR) === 0 || (flags & FLAG.OPCODE) !== 0) return false;
    const questions = view.getUint16(4);
    if (questions === 0) {
      // Some servers answer an error with a header alone (RFC 1035 leaves it open).
      return (flags & FLAG.RCODE) !== RCODE.NOERROR && length === HEADER_SIZE;
    }
    return questions === 1 && length >= HEADER_SIZE + this.#questionLength &&
      this.#sameQuestion(memory, 0);
  }

  #sameQuestion(other: Memory, otherOffset: number): boolean {
    const mine = this.#packet.bytes;
    const theirs = other.bytes;
    const size = this.#questionLength;
    const nameEnd = HEADER_SIZE + size - 4;
    for (let i = HEADER_SIZE; i < nameEnd; i++) {
      const a = mine[i]!;
      const b = theirs[otherOffset + i]!;
      if (a !== b && (a | upperMask(a)) !== (b | upperMask(b))) return false;
    }
    for (let i = nameEnd; i < nameEnd + 4; i++) {
      if (mine[i] !== theirs[otherOffset + i]) return false;
    }
    return true;
  }

  #accept(memory: Memory, length: number): void {
    const { scanner, options } = this.#forward;
    const upstream = this.#upstream!;
    let size = length;
    if (memory.view.getUint16(4) === 0) {
      memory.view.setUint16(4, 1);
      const { bytes } = this.#packet;
      for (let i = 0; i < this.#questionLength; i++) {
        memory.bytes[HEADER_SIZE + i] = bytes[HEADER_SIZE + i]!;
      }
      size = HEADER_SIZE + this.#questionLength;
      memory.view.setUint32(6, 0);
      memory.view.setUint16(10, 0);
    }
    if (size > MAX_MESSAGE_SIZE || !scanner.scan(memory.bytes, memory.view, 0, size)) {
      this.#forward.countMalformed();
      this.#attemptFailed("malformed reply");
      return;
    }
    this.#letGo();
    upstream.succeeded();
    this.#forward.countReply(upstream, scanner.rcode, this.#forward.engine.nowMs - this.#sentMs);
    if (scanner.truncated && !this.#tcp) {
      this.#tcp = true;
      this.#index--;
      this.#retrySame(upstream);
      return;
    }
    const refusesEdns = scanner.rcode === RCODE.FORMERR || scanner.rcode === RCODE.NOTIMP;
    if (refusesEdns && !scanner.edns && !this.#plain && !this.#dnssecOk) {
      // A server from before EDNS: once more without (RFC 6891 section 7).
      this.#plain = true;
      this.#retrySame(upstream);
      return;
    }
    if (options.failover.includes(scanner.rcode)) {
      this.#answersTried++;
      if (this.#answersTried < this.#forward.upstreams.length) {
        this.#tryNext();
        return;
      }
    }
    this.#finish(memory);
  }

  /** The same upstream in another way; no failure of it, so no attempt is counted. */
  #retrySame(upstream: Upstream): void {
    if (this.#forward.engine.nowMs >= this.#deadlineMs) this.#fail("i/o timeout");
    else if (!this.#send(upstream)) this.#attemptFailed("cannot connect");
  }

  #finish(memory: Memory): void {
    const { scanner, reply: response } = this.#forward;
    const table = (scanner.length + 1) & ~1;
    for (let i = 0; i < scanner.ttlCount; i++) {
      memory.view.setUint16(table + 2 * i, scanner.ttls[i]!, true);
    }
    // What followed the last kept record (OPT) is gone, so the count of additional records changes.
    const { view } = memory;
    const sections = view.getUint16(6) + view.getUint16(8);
    view.setUint16(10, Math.max(0, scanner.ttlCount - sections));
    response.memory = memory;
    response.offset = 0;
    response.length = scanner.length;
    response.ttlsAt = table;
    response.ttlCount = scanner.ttlCount;
    response.ttlSeconds = -1;
    response.extendedRcode = scanner.extendedRcode;
    response.cached = false;
    response.kind = scanner.kind;
    response.minTtlSeconds = scanner.minTtlSeconds;
    this.#end();
    this.#forward.answered(this, response);
  }

  #timedOut(): void {
    if (this.#resting) {
      this.#tryNext();
      return;
    }
    const stream = this.#stream;
    this.#letGo();
    // Without this, a connection to a peer that vanished would swallow queries until it expires.
    stream?.suspect(this.#sentMs);
    this.#attemptFailed("i/o timeout");
  }

  #attemptFailed(why: string): void {
    const upstream = this.#upstream!;
    this.#letGo();
    this.#forward.countFailure(upstream);
    upstream.check();
    this.#forward.lastError = `${upstream.label}: ${why}`;
    this.#tcp = this.#forward.options.forceTcp ||
      (this.#tcp && this.waiters?.transport === TCP && !this.#forward.options.preferUdp);
    this.#tryNext();
  }

  #fail(why: string): void {
    this.#end();
    const error = why === "" ? this.#forward.lastError : why;
    this.#forward.failed(this, error === "" ? "no upstream answered" : error);
  }

  #end(): void {
    this.#letGo();
    this.#forward.engine.timers.clear(this.#timer);
  }

  /** Gives back what the attempt under way holds. */
  #letGo(): void {
    if (this.#socket >= 0) {
      this.#forward.io.release(this.#socket);
      this.#socket = -1;
    }
    if (this.#stream !== null) {
      this.#stream.cancel(this);
      this.#stream = null;
    }
  }
}

/** Whether a response says that the name exists but has nothing of the type asked for. */
export function isNodata(kind: number, answerCount: number, rcode: number): boolean {
  return kind === KIND.NODATA || (rcode === RCODE.NOERROR && answerCount === 0);
}
