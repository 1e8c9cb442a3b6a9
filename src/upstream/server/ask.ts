import { FLAG, RCODE } from "../../dns/constants.ts";
import { KIND } from "../../dns/response_scan.ts";
import type { EngineServices } from "../../engine/handler.ts";
import type { Memory } from "../../engine/memory.ts";
import type { Timer } from "../../engine/timers.ts";
import type { Endpoint } from "../../io/contract.ts";
import { type Inquiry, writePacket } from "../inquiry.ts";
import type { AskHandler, AskOptions, Outcome, Ticket } from "../outcome.ts";
import { copyMessage, type Reply } from "../reply.ts";
import type { Connections } from "../transport/connections.ts";
import { Outgoing, type TransportFailure, type TransportHandler } from "../transport/outgoing.ts";
import { type OnMismatch, UdpQuery } from "../transport/udp.ts";
import { COOKIE, type Cookie } from "./cookie.ts";
import { type EdnsLadder, FORM } from "./ladder.ts";
import type { RoundTrip } from "./round_trip.ts";
import type { Spelling } from "./spelling.ts";

/** Codes that an old or odd server may answer to EDNS alone (RFC 6891 section 7). */
const EDNS_REFUSALS: readonly number[] = [RCODE.NOTIMP, RCODE.REFUSED, RCODE.SERVFAIL];
/** Extended response code of a server that wants its fresh cookie (RFC 7873 section 8). */
const BADCOOKIE = 23;

/** What an ask needs of its server. */
export interface AskServer {
  readonly engine: EngineServices;
  readonly endpoint: Endpoint;
  readonly connections: Connections;
  readonly ladder: EdnsLadder;
  readonly spelling: Spelling;
  readonly cookie: Cookie;
  readonly roundTrip: RoundTrip;
  /** Where replies are read. */
  readonly reply: Reply;
  /** Time for one answer, in milliseconds. */
  readonly readTimeoutMs: number;
  /** Whether its TCP has failed of late. */
  readonly tcpFails: boolean;
  /** An ask is under way. */
  sent(ask: Ask): void;
  /** An ask is over. */
  done(ask: Ask): void;
  /** A reply came, which `reply` describes, after so many milliseconds. */
  heard(tookMs: number): void;
  /** An ask sent at this time got no answer. */
  failed(sentMs: number): void;
  /** A truncated answer could not be had whole over TCP. */
  tcpFailed(): void;
  countMismatch(): void;
  countMalformed(): void;
  countForgery(): void;
  /** Tells the operator, once, that the server folds the case of names. */
  reportFolding(): void;
  /** Takes an ask back for the next question. */
  giveBack(ask: Ask): void;
}

/**
 * One question on its way to one server.
 *
 * ```
 *  datagram ──answer──────────────────────────────────► ended
 *     ├─ truncated, wrong replies, no port ─► stream ─► ended (truncated as it is if TCP fails)
 *     ├─ EDNS refused ─► again with less of it
 *     └─ silence ─► ended
 * ```
 */
export class Ask implements Ticket, TransportHandler {
  /** Neighbours among the server's asks, which are in the order of sending. */
  older: Ask | null = null;
  newer: Ask | null = null;
  /** Monotonic milliseconds. */
  sentMs = 0;
  dueMs = 0;
  /** Its handler knows that the server is silent. */
  silenceReported = false;

  readonly #server: AskServer;
  readonly #query = new Outgoing(this);
  readonly #udp: UdpQuery;
  readonly #timer: Timer;
  readonly #onMismatch: OnMismatch;
  #stage: "idle" | "datagram" | "stream" = "idle";
  #inquiry: Inquiry | null = null;
  #handler: AskHandler | null = null;
  #limitMs = 0;
  #form: number = FORM.OPTIONS;
  /** The server has left the question unanswered before. */
  #askedAgain = false;
  /** The server has refused the form before this one. */
  #formRefused = false;
  #cookieSent = false;
  /** It was sent again for a fresh server cookie. */
  #cookieRenewed = false;
  /** It goes over TCP because the server's cookie was missing. */
  #cookieMissing = false;
  /** It goes over TCP because replies came misspelt. */
  #misspelt = false;
  /** The answer over UDP that is to be had whole over TCP, and its length. */
  #truncated: Memory | null = null;
  #truncatedLength = 0;
  #answeredSinceMs = 0;

  constructor(server: AskServer) {
    const { engine } = server;
    this.#server = server;
    this.#udp = new UdpQuery(this.#query, engine.io, engine.random);
    this.#timer = engine.timers.create(() => this.#timeOut());
    this.#onMismatch = (misspelt) => {
      server.countMismatch();
      return misspelt && server.spelling.misspelt();
    };
  }

  /**
   * Asks.
   *
   * @returns null, or how it ended if it could not be sent at all; then `handler` is told nothing
   */
  start(
    inquiry: Inquiry,
    { streamed, again, limitMs }: AskOptions,
    handler: AskHandler,
  ): Outcome | null {
    const server = this.#server;
    const { nowMs, timers } = server.engine;
    this.#inquiry = inquiry;
    this.#handler = handler;
    this.#limitMs = limitMs;
    this.sentMs = nowMs;
    this.dueMs = Math.min(nowMs + server.readTimeoutMs, limitMs);
    this.silenceReported = false;
    this.#askedAgain = again;
    this.#formRefused = false;
    this.#cookieRenewed = false;
    this.#cookieMissing = false;
    this.#misspelt = false;
    this.#truncated = null;
    const encrypted = server.endpoint.tls !== null;
    const stream = streamed || encrypted || server.spelling.needsTcp(nowMs);
    this.#form = server.ladder.next(nowMs, server.roundTrip.patienceMs, again);
    server.sent(this);
    const failure = this.#transmit(stream ? "stream" : "datagram");
    if (failure !== null) {
      this.#leave();
      return { kind: "failed", why: failure.why };
    }
    timers.set(this.#timer, this.dueMs);
    return null;
  }

  get sinceMs(): number {
    if (this.#stage === "idle") return this.#answeredSinceMs;
    return this.#stage === "stream"
      ? this.#server.connections.sinceMs(this.#query)
      : this.#query.sentMs;
  }

  get streamed(): boolean {
    return this.#stage === "stream";
  }

  limit(dueMs: number): void {
    if (dueMs >= this.dueMs) return;
    this.dueMs = dueMs;
    this.#limitMs = Math.min(this.#limitMs, dueMs);
    this.#server.engine.timers.set(this.#timer, dueMs);
  }

  cancel(): void {
    this.#stop(false);
    this.#leave();
    this.#server.giveBack(this);
  }

  /** Tells the handler that the server is silent. */
  reportSilence(): void {
    this.silenceReported = true;
    this.#handler!.suspected(this);
  }

  replied(memory: Memory, length: number): void {
    const server = this.#server;
    const { reply, ladder, roundTrip } = server;
    const { nowMs } = server.engine;
    const streamed = this.streamed;
    // A header alone does not repeat the question, so it proves nothing where that is wanted.
    if (!streamed && this.#query.exactCase && memory.view.getUint16(4) === 0) {
      this.#overTcp();
      return;
    }
    if (!reply.read(memory, length, this.#inquiry!)) {
      server.countMalformed();
      this.#stop(false);
      this.#end({ kind: "failed", why: "malformed reply" });
      return;
    }
    if (streamed && this.#query.misspelt && server.spelling.folds(nowMs)) server.reportFolding();
    if (this.#cookieSent && !this.#checkCookie(streamed)) return;
    if (!streamed) server.spelling.right();
    this.#answeredSinceMs = this.#query.sentMs;
    this.#stop(false);
    server.heard(nowMs - this.#answeredSinceMs);
    if (reply.scanner.truncated && !streamed) {
      this.#askWhole(memory, length);
      return;
    }
    if (this.#asksAgain(streamed)) return;
    if (!isComplaint(reply.rcode)) {
      const evidence = this.#formRefused ? "refused" : this.#askedAgain ? "again" : "none";
      ladder.answered(this.#form, nowMs, roundTrip.patienceMs, evidence);
    }
    this.#end(this.#judge());
  }

  failed(failure: TransportFailure): void {
    const server = this.#server;
    const { nowMs } = server.engine;
    if (this.#stage === "datagram" && failure.kind !== "refused") {
      if (failure.kind !== "exhausted") {
        this.#misspelt = failure.kind === "misspelt";
        server.countForgery();
        server.spelling.doubt(nowMs);
      }
      this.#overTcp();
      return;
    }
    this.#stop(false);
    if (this.#handOnTruncated()) return;
    // Without TCP a server could never be served again once it had lost its cookies, or if it folds
    // case.
    if (this.#cookieMissing) server.cookie.forget();
    if (this.#misspelt && server.spelling.folds(nowMs)) server.reportFolding();
    this.#end({ kind: "failed", why: failure.why });
  }

  /** Writes the query and hands it to a transport. */
  #transmit(stage: "datagram" | "stream"): TransportFailure | null {
    const server = this.#server;
    const { engine, cookie, spelling, endpoint } = server;
    const { nowMs } = engine;
    const inquiry = this.#inquiry!;
    const query = this.#query;
    const encrypted = endpoint.tls !== null;
    const streamed = stage === "stream";
    const hasCookie = !encrypted && cookie.size > 0;
    if (this.#form === FORM.OPTIONS && !hasCookie && !encrypted && inquiry.subnetLength === 0) {
      this.#form = FORM.EDNS;
    }
    const withOptions = this.#form === FORM.OPTIONS;
    this.#stage = stage;
    this.#cookieSent = withOptions && hasCookie;
    query.exactCase = spelling.isMixed(nowMs) && (!streamed || this.#misspelt);
    query.misspelt = false;
    query.questionLength = inquiry.questionLength;
    query.length = writePacket(query.packet, inquiry, {
      form: this.#form,
      cookie: this.#cookieSent ? cookie : null,
      padded: encrypted && withOptions,
      mixedCase: query.exactCase ? engine.random : null,
    });
    query.sentMs = nowMs;
    server.ladder.sent(this.#form, nowMs);
    if (streamed) return server.connections.send(query);
    const failure = this.#udp.send(endpoint, this.#onMismatch);
    return failure?.kind === "exhausted" ? this.#transmit("stream") : failure;
  }

  /** Sends the question once more. */
  #again(stage: "datagram" | "stream"): void {
    const { engine, readTimeoutMs } = this.#server;
    this.dueMs = Math.min(engine.nowMs + readTimeoutMs, this.#limitMs);
    const failure = this.#transmit(stage);
    if (failure === null) {
      engine.timers.set(this.#timer, this.dueMs);
      return;
    }
    this.#stop(false);
    if (!this.#handOnTruncated()) this.#end({ kind: "failed", why: failure.why });
  }

  #overTcp(): void {
    this.#stop(false);
    this.#again("stream");
  }

  /** A truncated answer: asks for the whole one over TCP, and keeps this one in case. */
  #askWhole(memory: Memory, length: number): void {
    this.#truncated = copyMessage(memory, length);
    this.#truncatedLength = length;
    if (this.#server.tcpFails) this.#handOnTruncated();
    else this.#overTcp();
  }

  /** Ends with the truncated answer, where there is one and the whole one cannot be had. */
  #handOnTruncated(): boolean {
    const memory = this.#truncated;
    if (memory === null) return false;
    const { reply } = this.#server;
    this.#server.tcpFailed();
    reply.read(memory, this.#truncatedLength, this.#inquiry!);
    this.#end({ kind: "answer", reply });
    return true;
  }

  /** Whether the reply may be the server's, going by its cookie; else the wait goes on. */
  #checkCookie(streamed: boolean): boolean {
    const { cookie, reply } = this.#server;
    const verdict = cookie.check(reply.memory, reply.optAt);
    if (streamed) {
      // Nobody can forge a reply here: the server has stopped to send cookies.
      if (verdict === COOKIE.MISSING) cookie.forget();
      return true;
    }
    if (verdict === COOKIE.FORGED) this.#udp.mismatched();
    else if (verdict === COOKIE.MISSING) {
      this.#cookieMissing = true;
      this.#overTcp();
    } else return true;
    return false;
  }

  /** Whether the reply means that the same server is to be asked in another form; does so. */
  #asksAgain(streamed: boolean): boolean {
    const { reply, ladder } = this.#server;
    const { rcode } = reply;
    const stage = streamed ? "stream" : "datagram";
    if (rcode === BADCOOKIE && this.#cookieSent && !streamed) {
      // The server's fresh cookie has been learnt; a second refusal is no matter of cookies.
      const renewed = this.#cookieRenewed;
      this.#cookieRenewed = true;
      this.#again(renewed ? "stream" : stage);
      return true;
    }
    if (this.#form === FORM.PLAIN) return false;
    const refused = rcode === RCODE.FORMERR || rcode === RCODE.BADVERS ||
      (EDNS_REFUSALS.includes(rcode) && !ladder.knowsEdns && !this.#formRefused);
    if (!refused) return false;
    ladder.refused(this.#form);
    this.#formRefused = true;
    const less = rcode === RCODE.FORMERR && this.#form === FORM.OPTIONS;
    this.#form = less ? FORM.EDNS : FORM.PLAIN;
    this.#again(stage);
    return true;
  }

  /** What the reply amounts to. */
  #judge(): Outcome {
    const { reply } = this.#server;
    const { scanner, rcode, memory } = reply;
    if (scanner.extendedRcode !== 0) return { kind: "failed", why: `response code ${rcode}` };
    // Over TCP: another server may send it whole.
    if (scanner.truncated) {
      return { kind: "refused", rcode: RCODE.SERVFAIL, elsewhere: true, reply };
    }
    if (rcode === RCODE.NXDOMAIN || rcode === RCODE.YXDOMAIN) return { kind: "answer", reply };
    if (rcode !== RCODE.NOERROR) {
      const elsewhere = rcode === RCODE.REFUSED || rcode === RCODE.NOTIMP;
      return { kind: "refused", rcode, elsewhere, reply };
    }
    // A server without recursion that is not the zone's either: it points to others, or says nothing.
    const flags = memory.view.getUint16(2);
    const empty = memory.view.getUint16(6) === 0 && scanner.kind !== KIND.NODATA;
    if (empty && (flags & (FLAG.RA | FLAG.AA)) === 0) {
      return { kind: "refused", rcode: RCODE.SERVFAIL, elsewhere: true, reply };
    }
    return { kind: "answer", reply };
  }

  #timeOut(): void {
    const { cookie } = this.#server;
    this.#answeredSinceMs = this.#query.sentMs;
    this.#stop(true);
    if (this.#handOnTruncated()) return;
    if (this.#cookieMissing) cookie.forget();
    this.#end({ kind: "silent" });
  }

  /** Takes the query back from its transport. */
  #stop(late: boolean): void {
    if (this.#stage === "datagram") this.#udp.cancel();
    else if (this.#stage === "stream") this.#server.connections.cancel(this.#query, late);
  }

  #leave(): void {
    this.#stage = "idle";
    this.#server.engine.timers.clear(this.#timer);
    this.#server.done(this);
  }

  #end(outcome: Outcome): void {
    const server = this.#server;
    const handler = this.#handler!;
    this.#leave();
    if (outcome.kind === "failed" || outcome.kind === "silent") server.failed(this.sentMs);
    handler.ended(this, outcome);
    this.#handler = null;
    this.#inquiry = null;
    this.#truncated = null;
    server.giveBack(this);
  }
}

/** Whether a response code may be about the form of the query rather than its question. */
function isComplaint(rcode: number): boolean {
  return rcode === RCODE.FORMERR || rcode === RCODE.BADVERS || EDNS_REFUSALS.includes(rcode);
}
