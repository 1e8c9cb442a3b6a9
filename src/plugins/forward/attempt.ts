import { FLAG, HEADER_SIZE, RCODE } from "../../dns/constants.ts";
import { Memory } from "../../engine/memory.ts";
import type { DatagramHandler } from "../../io/contract.ts";
import type { ForwardHandler } from "./handler.ts";
import type { Lookup } from "./lookup.ts";
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

/** Why an attempt failed, as far as it matters for what the client is told. */
export type FailureKind = "timeout" | "network";

/**
 * One packet to one upstream, and the wait for its reply.
 *
 * A reply counts only if it comes to the socket, under the id and for the question of this packet;
 * anything else is counted, dropped, and the wait goes on.
 */
export class Attempt implements DatagramHandler, StreamQuery {
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
  /** The lookup knows that the upstream is silent. */
  told = false;
  /** Neighbours among the upstream's outstanding attempts, which are in the order of sending. */
  older: Attempt | null = null;
  newer: Attempt | null = null;

  readonly #forward: ForwardHandler;
  readonly #packet = new Memory(PACKET_SIZE);
  #questionLength = 0;
  #id = 0;
  #socket = -1;
  #stream: UpstreamStream | null = null;
  #sinceMs = 0;
  #mismatches = 0;
  #reconnects = 0;

  constructor(forward: ForwardHandler) {
    this.#forward = forward;
  }

  /** Sends the lookup's question, by UDP unless told otherwise; false when that cannot be done. */
  send(lookup: Lookup, upstream: Upstream, streamed: boolean, dueMs: number): boolean {
    const { engine, io, options } = this.#forward;
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
    const length = writePacket(packet, inquiry, {
      plain,
      cookie: this.cookie ? upstream.cookie : null,
      padded: encrypted && !plain,
      mixedCase: options.mixedCase && !this.streamed ? engine.random : null,
    });
    if (this.streamed) {
      this.#stream = upstream.streams.ask(this, packet, 0, length);
      if (this.#stream === null) return false;
    } else {
      this.#id = engine.random() & 0xffff;
      packet.view.setUint16(0, this.#id);
      this.#socket = io.open(upstream.endpoint, this);
      if (this.#socket < 0) return false;
      if (!io.send(this.#socket, packet, 0, length)) {
        this.letGo();
        return false;
      }
    }
    upstream.sent(this);
    return true;
  }

  /**
   * Since when a reply may be expected, in monotonic milliseconds: since it was sent, or since its
   * connection stands; Infinity until it does.
   */
  get sinceMs(): number {
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
    if (this.#socket >= 0) {
      this.#forward.io.release(this.#socket);
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
    // A server may close a connection at any time (RFC 7766 section 6.2.4): that is no failure of it.
    const since = answeredMs >= this.sentMs && this.#reconnects++ < MAX_RECONNECTS;
    if (since || (answeredMs > -Infinity && !this.repeated)) {
      this.repeated ||= !since;
      this.lookup?.again(this);
    } else {
      this.lookup?.attemptFailed(this, why ?? "connection closed", "network");
    }
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
