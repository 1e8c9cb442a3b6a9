import { RCODE } from "../../dns/constants.ts";
import type { Memory } from "../../engine/memory.ts";
import type { Timer } from "../../engine/timers.ts";
import { FORM } from "../message/form.ts";
import { type Inquiry, writePacket } from "../message/inquiry.ts";
import type { AskHandler, AskOptions, Outcome, Ticket } from "../outcome.ts";
import { Outgoing, type TransportFailure, type TransportHandler } from "../transport/outgoing.ts";
import { UdpQuery } from "../transport/udp.ts";
import type { AskServer } from "./ask_server.ts";
import { COOKIE } from "./cookie.ts";
import { judge } from "./judge.ts";
import type { Evidence } from "./ladder.ts";
import { formAfter, isComplaint } from "./refusal.ts";
import { TruncatedAnswer } from "./truncated_answer.ts";

/** Time to fetch the whole of a truncated answer over TCP; then it is handed on as it is. */
const WHOLE_MS = 1000;

/** Why a question that went over UDP goes over TCP. */
type Detour = "truncated" | "cookie missing" | "forged" | "misspelt" | "no socket";

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

  readonly #server: AskServer<Ask>;
  readonly #query = new Outgoing(this);
  readonly #udp: UdpQuery;
  readonly #timer: Timer;
  #stage: "idle" | "datagram" | "stream" = "idle";
  #inquiry: Inquiry | null = null;
  #handler: AskHandler | null = null;
  #limitMs = 0;
  #form: number = FORM.OPTIONS;
  /** Whether the server has refused a form of the question, or left it unanswered before. */
  #evidence: Evidence = "none";
  #cookieSent = false;
  /** The client's subnet is left out: the server has answered for another one. */
  #withoutSubnet = false;
  /** It was sent again for a fresh server cookie. */
  #cookieRenewed = false;
  #detour: Detour | null = null;
  readonly #truncated = new TruncatedAnswer();
  #answeredSinceMs = 0;

  constructor(server: AskServer<Ask>) {
    const { engine } = server;
    this.#server = server;
    this.#udp = new UdpQuery(this.#query, {
      engine,
      queue: server.sockets,
      onMismatch: (misspelt) => {
        server.countMismatch();
        return misspelt && server.spelling.misspelt();
      },
    });
    this.#timer = engine.timers.create(() => this.#timeOut());
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
    this.#evidence = again ? "again" : "none";
    this.#cookieRenewed = false;
    this.#withoutSubnet = false;
    this.#detour = null;
    const stream = streamed || server.forceTcp || server.endpoint.tls !== null ||
      server.spelling.needsTcp(nowMs);
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
    if (this.#stage === "stream") return this.#server.connections.sinceMs(this.#query);
    return this.#udp.waits ? Infinity : this.#query.sentMs;
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
      this.#overTcp("forged");
      return;
    }
    if (!reply.read(memory, length, this.#inquiry!)) {
      server.countMalformed();
      this.#stop(false);
      if (this.#endsDetour()) return;
      this.#end({ kind: "failed", why: "malformed reply" });
      return;
    }
    reply.subnetSent = this.#subnetSent;
    if (streamed && this.#query.misspelt && server.spelling.folds(nowMs)) server.reportFolding();
    if (this.#cookieSent && !this.#checkCookie(streamed)) return;
    if (!streamed) server.spelling.right();
    this.#answeredSinceMs = this.#query.sentMs;
    this.#stop(false);
    server.heard(nowMs - this.#answeredSinceMs);
    // Also if the question goes out once more: for another subnet, whole, with a new cookie.
    if (!isComplaint(reply.rcode)) ladder.heard(this.#form);
    if (this.#dropsWrongSubnet(streamed)) return;
    if (reply.scanner.truncated && !streamed) {
      this.#askWhole();
      return;
    }
    if (this.#asksAgain(streamed)) return;
    if (!isComplaint(reply.rcode)) {
      ladder.answered(this.#form, nowMs, roundTrip.patienceMs, this.#evidence);
    }
    this.#end(judge(reply));
  }

  failed(failure: TransportFailure): void {
    const server = this.#server;
    const { nowMs } = server.engine;
    if (this.#stage === "datagram" && failure.kind !== "refused") {
      if (failure.kind === "exhausted") {
        this.#overTcp("no socket");
        return;
      }
      server.countForgery();
      server.spelling.doubt(nowMs);
      this.#overTcp(failure.kind === "misspelt" ? "misspelt" : "forged");
      return;
    }
    this.#stop(false);
    if (this.#endsDetour()) return;
    this.#end({ kind: "failed", why: failure.why });
  }

  /** The query that is under way carries the client's subnet. */
  get #subnetSent(): boolean {
    return this.#form === FORM.OPTIONS && !this.#withoutSubnet && this.#inquiry!.subnetLength > 0;
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
    if (!hasCookie && !encrypted && this.#form === FORM.OPTIONS && !this.#subnetSent) {
      this.#form = FORM.EDNS;
    }
    const withOptions = this.#form === FORM.OPTIONS;
    this.#stage = stage;
    this.#cookieSent = withOptions && hasCookie;
    // Over TCP only to find out whether the server changes the case itself.
    query.exactCase = spelling.isMixed(nowMs) && (!streamed || this.#detour === "misspelt");
    query.misspelt = false;
    query.questionLength = inquiry.questionLength;
    query.length = writePacket(query.packet, inquiry, {
      form: this.#form,
      cookie: this.#cookieSent ? cookie : null,
      subnet: this.#subnetSent,
      padded: encrypted && withOptions,
      mixedCase: query.exactCase ? engine.random : null,
    });
    query.sentMs = nowMs;
    server.ladder.sent(this.#form, nowMs);
    return streamed ? server.connections.send(query) : this.#udp.send(endpoint);
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
    if (!this.#endsDetour()) this.#end({ kind: "failed", why: failure.why });
  }

  /** TCP has failed. Returns whether the question is answered, or goes on, all the same. */
  #endsDetour(): boolean {
    const { cookie, spelling, engine } = this.#server;
    const detour = this.#detour;
    this.#detour = null;
    switch (detour) {
      case "truncated":
        this.#handOnTruncated();
        return true;
      case "no socket":
        // TCP was only to do without one: the server need not have it.
        this.#stage = "datagram";
        this.#udp.waitOn();
        return true;
      // Without TCP the server could never be served again.
      case "cookie missing":
        cookie.forget();
        return false;
      case "misspelt":
        if (spelling.folds(engine.nowMs)) this.#server.reportFolding();
        return false;
      default:
        return false;
    }
  }

  #overTcp(detour: Detour): void {
    this.#detour = detour;
    this.#stop(false);
    this.#again("stream");
  }

  /** A truncated answer: asks for the whole one over TCP, and keeps this one in case. */
  #askWhole(): void {
    this.#truncated.keep(this.#server.reply);
    if (this.#server.tcpFails) {
      this.#handOnTruncated();
      return;
    }
    this.#limitMs = Math.min(this.#limitMs, this.#server.engine.nowMs + WHOLE_MS);
    this.#overTcp("truncated");
  }

  /** Ends with the truncated answer: the whole one is not available. */
  #handOnTruncated(): void {
    const { reply, ladder } = this.#server;
    this.#server.tcpFailed();
    // The question was answered; silence over TCP says nothing of the form.
    ladder.heard(this.#form);
    this.#truncated.restore(reply, this.#inquiry!);
    this.#end({ kind: "answer", reply });
  }

  /** Whether the reply may be the server's, going by its cookie; else the wait goes on. */
  #checkCookie(streamed: boolean): boolean {
    const { cookie, reply } = this.#server;
    const verdict = cookie.check(reply.memory, reply.optAt);
    if (streamed) {
      // Nobody can forge a reply here: the server has stopped sending cookies.
      if (verdict === COOKIE.MISSING) cookie.forget();
      return true;
    }
    if (verdict === COOKIE.FORGED) this.#udp.mismatched();
    else if (verdict === COOKIE.MISSING) {
      this.#overTcp("cookie missing");
    } else return true;
    return false;
  }

  /**
   * Whether the reply is for another subnet, and so dropped (RFC 7871 section 7.3). Asked without one,
   * the server may do better.
   */
  #dropsWrongSubnet(streamed: boolean): boolean {
    const { reply } = this.#server;
    if (!this.#subnetSent || reply.isForSubnet(this.#inquiry!)) return false;
    this.#server.countWrongSubnet();
    this.#withoutSubnet = true;
    this.#again(streamed ? "stream" : "datagram");
    return true;
  }

  /** Whether the reply means that the same server is to be asked in another form; does so. */
  #asksAgain(streamed: boolean): boolean {
    const { reply, ladder } = this.#server;
    const { rcode } = reply;
    const stage = streamed ? "stream" : "datagram";
    if (rcode === RCODE.BADCOOKIE && this.#cookieSent && !streamed) {
      // The server's fresh cookie has been learnt; a second refusal is not about cookies.
      const renewed = this.#cookieRenewed;
      this.#cookieRenewed = true;
      this.#again(renewed ? "stream" : stage);
      return true;
    }
    const form = formAfter(rcode, this.#form, !ladder.knowsEdns && this.#evidence !== "refused");
    if (form === null) return false;
    ladder.heard(this.#form);
    this.#evidence = "refused";
    this.#form = form;
    this.#again(stage);
    return true;
  }

  #timeOut(): void {
    const { cookie } = this.#server;
    if (this.#stage === "datagram" && this.#udp.waits) {
      this.#stop(false);
      this.#end({ kind: "failed", why: "no port or file descriptor is free" }, false);
      return;
    }
    this.#answeredSinceMs = this.#query.sentMs;
    this.#stop(true);
    if (this.#detour === "truncated") {
      this.#handOnTruncated();
      return;
    }
    if (this.#detour === "cookie missing") cookie.forget();
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
    this.#handler = null;
    this.#inquiry = null;
    this.#truncated.clear();
  }

  #end(outcome: Outcome, blames = true): void {
    const server = this.#server;
    const handler = this.#handler!;
    this.#leave();
    const failed = outcome.kind === "failed" || outcome.kind === "silent";
    if (failed && blames) server.failed(this.sentMs);
    handler.ended(this, outcome);
    server.giveBack(this);
  }
}
