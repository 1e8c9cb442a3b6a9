import { FLAG, HEADER_SIZE, RCODE } from "../../dns/constants.ts";
import { Memory } from "../../engine/memory.ts";
import { type DatagramHandler, NO_SOCKET } from "../../io/contract.ts";
import type { ForwardHandler } from "./handler.ts";
import type { Lookup } from "./lookup.ts";
import type { SocketWaiter } from "./socket_queue.ts";
import type { StreamQuery, UpstreamStream } from "./streams.ts";
import type { Upstream } from "./upstream.ts";
import { PACKET_SIZE, sameQuestion, writePacket } from "./upstream_query.ts";

/** Wrong replies to one UDP query after which it is asked again over TCP. */
const MAX_MISMATCHES = 3;

/** Times that a query is sent again because its connection went after other answers. */
const MAX_RECONNECTS = 64;
/** Codes that a reply of a header alone may have: it repeats no question. */
const BARE_CODES: readonly number[] = [
  RCODE.FORMERR,
  RCODE.SERVFAIL,
  RCODE.NOTIMP,
  RCODE.REFUSED,
];

/**
 * Why an attempt failed, as far as it matters for what the client is told and who is to blame: an
 * upstream that was not asked is not.
 */
export type FailureKind = "timeout" | "network" | "unsent";

/**
 * One packet to one upstream, and the wait for its reply.
 *
 * A reply counts only if it comes to the socket, under the id and for the question of this packet;
 * anything else is counted, dropped, and the wait goes on.
 */
export class Attempt implements DatagramHandler, StreamQuery, SocketWaiter {
  /** Whose question it is; null while the attempt lies among the spare ones. */
  lookup: Lookup | null = null;
  upstream: Upstream | null = null;
  /** Monotonic milliseconds. */
  sentMs = 0;
  dueMs = 0;
  /** By a stream: TCP, TLS or HTTPS. */
  streamed = false;
  /** Without OPT. */
  plain = false;
  /** The packet carries our cookie. */
  cookie = false;
  /** It was sent again because its connection broke, or for a fresh server cookie. */
  repeated = false;
  /** It goes over TCP because the upstream's cookie was missing. */
  doubtful = false;
  /** It repeats another one that may have been lost. */
  resent = false;
  /** It has not been sent yet, for want of a socket (`SocketQueue`). */
  waiting = false;
  /** The lookup knows that the upstream is silent. */
  told = false;
  /** Neighbours among the upstream's outstanding attempts, which are in the order of sending. */
  older: Attempt | null = null;
  newer: Attempt | null = null;

  readonly #forward: ForwardHandler;
  readonly #packet = new Memory(PACKET_SIZE);
  #length = 0;
  #questionLength = 0;
  #id = 0;
  #socket = -1;
  #stream: UpstreamStream | null = null;
  /** It goes over a stream only because there was no socket. */
  #unsocketed = false;
  #sinceMs = 0;
  #mismatches = 0;
  #reconnects = 0;

  constructor(forward: ForwardHandler) {
    this.#forward = forward;
  }

  /**
   * Sends the lookup's question, by UDP unless told otherwise; false when that cannot be done. Where
   * no socket is free it is sent later, which counts as sent here.
   */
  send(lookup: Lookup, upstream: Upstream, streamed: boolean, dueMs: number): boolean {
    const { engine, options, sockets } = this.#forward;
    const { inquiry } = lookup;
    const encrypted = upstream.endpoint.tls !== null;
    const packet = this.#packet;
    this.lookup = lookup;
    this.upstream = upstream;
    this.sentMs = engine.nowMs;
    this.#sinceMs = engine.nowMs;
    this.dueMs = dueMs;
    this.streamed = streamed || encrypted;
    this.told = false;
    this.#mismatches = 0;
    this.#questionLength = inquiry.questionLength;
    const plain = this.plain || (upstream.plain && !inquiry.dnssecOk);
    this.cookie = !plain && !encrypted && upstream.cookie.size > 0;
    this.#length = writePacket(packet, inquiry, {
      plain,
      cookie: this.cookie ? upstream.cookie : null,
      padded: encrypted && !plain,
      mixedCase: options.mixedCase && !this.streamed ? engine.random : null,
    });
    this.#unsocketed = false;
    if (this.streamed) {
      this.#stream = upstream.streams.ask(this, packet, 0, this.#length);
      if (this.#stream === null) return false;
      upstream.sent(this);
      return true;
    }
    // Those that wait already come first.
    const opened = sockets.size > 0 ? NO_SOCKET : this.#open();
    if (opened !== NO_SOCKET) return opened >= 0;
    this.waiting = true;
    sockets.add(this);
    return true;
  }

  /** Sends after a wait for a socket; false where there is still none. */
  sendDatagram(): boolean {
    const opened = this.#open();
    if (opened === NO_SOCKET) return false;
    this.#leaveQueue();
    if (opened < 0) this.lookup?.attemptFailed(this, "cannot send", "network");
    return true;
  }

  /** Sends over a stream after a long wait for a socket; false where there is none to have. */
  sendByStream(): boolean {
    const { upstream } = this;
    const stream = upstream!.streams.ask(this, this.#packet, 0, this.#length);
    if (stream === null) return false;
    this.#leaveQueue();
    this.#stream = stream;
    this.streamed = true;
    this.#unsocketed = true;
    upstream!.sent(this);
    return true;
  }

  /**
   * Since when a reply may be expected, in monotonic milliseconds: since it was sent, or since its
   * connection stands; Infinity until it does.
   */
  get sinceMs(): number {
    if (this.waiting) return Infinity;
    return this.#stream === null ? this.#sinceMs : Math.max(this.sentMs, this.#stream.readyMs);
  }

  /** Makes a spare one of it. */
  reset(): void {
    this.letGo();
    this.lookup = null;
    this.upstream = null;
    this.plain = false;
    this.repeated = false;
    this.resent = false;
    this.doubtful = false;
    this.#reconnects = 0;
  }

  /** Gives back what the packet holds: its socket or its place on a connection. */
  letGo(): void {
    if (this.waiting) this.#leaveQueue();
    if (this.#socket >= 0) {
      this.#forward.io.release(this.#socket);
      this.#forward.sockets.freed();
      this.#socket = -1;
    }
    if (this.#stream !== null) {
      this.#stream.cancel(this);
      this.#stream = null;
    }
    this.upstream?.done(this);
  }

  /** Nothing came in time. A connection on which nothing came at all goes with it. */
  timedOut(): void {
    const stream = this.#stream;
    this.letGo();
    stream?.suspect(this.sentMs);
  }

  /** Counts a reply that answers nothing asked; too many of them look like forgery. */
  mismatched(): void {
    this.#forward.countMismatch();
    this.upstream?.countMismatch();
    if (this.streamed || ++this.#mismatches < MAX_MISMATCHES) return;
    this.#forward.countForgery();
    this.lookup?.overTcp(this);
  }

  reply(memory: Memory, length: number): void {
    if (
      length === HEADER_SIZE && this.#forward.options.mixedCase &&
      memory.view.getUint16(0) === this.#id && this.#answersQuestion(memory, length)
    ) this.lookup?.overTcp(this);
    else if (
      length >= HEADER_SIZE && memory.view.getUint16(0) === this.#id &&
      this.#answersQuestion(memory, length)
    ) this.lookup?.replied(this, memory, length);
    else this.mismatched();
  }

  failed(): void {
    this.lookup?.attemptFailed(this, "connection refused", "network");
  }

  matches(memory: Memory, length: number): boolean {
    // The stream has found this query by its id, which it chose itself.
    if (this.#answersQuestion(memory, length)) return true;
    this.mismatched();
    return false;
  }

  answered(memory: Memory, length: number): void {
    const { sinceMs } = this;
    // An answer may be told before the connection that it came by.
    if (sinceMs < Infinity) this.#sinceMs = sinceMs;
    this.#stream = null;
    this.lookup?.replied(this, memory, length);
  }

  broken(why: string | undefined, answeredMs: number): void {
    this.#stream = null;
    if (this.#unsocketed) {
      // That was only an attempt to do without a socket; the upstream need not have TCP.
      this.upstream?.done(this);
      this.streamed = false;
      this.waiting = true;
      this.#forward.sockets.putBack(this);
      return;
    }
    // A server may close a connection at any time (RFC 7766 section 6.2.4): that is no failure of it.
    const since = answeredMs >= this.sentMs && this.#reconnects++ < MAX_RECONNECTS;
    if (since || (answeredMs > -Infinity && !this.repeated)) {
      this.repeated ||= !since;
      this.lookup?.again(this);
    } else {
      this.lookup?.attemptFailed(this, why ?? "connection closed", "network");
    }
  }

  /** Opens a socket and sends; below zero where that fails (`Io.open`). */
  #open(): number {
    const { io, engine } = this.#forward;
    const { upstream } = this;
    const socket = io.open(upstream!.endpoint, this);
    if (socket < 0) return socket;
    this.#id = engine.random() & 0xffff;
    this.#packet.view.setUint16(0, this.#id);
    this.#socket = socket;
    this.sentMs = engine.nowMs;
    this.#sinceMs = engine.nowMs;
    if (!io.send(socket, this.#packet, 0, this.#length)) {
      io.release(socket);
      this.#socket = -1;
      return -1;
    }
    upstream!.sent(this);
    return socket;
  }

  #leaveQueue(): void {
    this.waiting = false;
    this.#forward.sockets.delete(this);
  }

  #answersQuestion(memory: Memory, length: number): boolean {
    const { view } = memory;
    const flags = view.getUint16(2);
    if ((flags & FLAG.QR) === 0 || (flags & FLAG.OPCODE) !== 0) return false;
    const questions = view.getUint16(4);
    if (questions === 0) {
      // Some servers answer an error with a header alone (RFC 1035 leaves it open).
      return length === HEADER_SIZE && BARE_CODES.includes(flags & FLAG.RCODE);
    }
    return questions === 1 && length >= HEADER_SIZE + this.#questionLength &&
      sameQuestion(this.#packet, memory, {
        offset: 0,
        length: this.#questionLength,
        exact: this.#forward.options.mixedCase && !this.streamed,
      });
  }
}
