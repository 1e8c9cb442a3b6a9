import { RCODE } from "../../dns/constants.ts";
import { KIND } from "../../dns/response_scan.ts";
import type { Memory } from "../../engine/memory.ts";
import type { Timer } from "../../engine/timers.ts";
import { FORM, type Inquiry, writePacket } from "../message/inquiry.ts";
import { copyMessage, type Reply } from "../message/reply.ts";
import type { AskHandler, AskOptions, Outcome, Ticket } from "../outcome.ts";
import { Outgoing, type TransportFailure, type TransportHandler } from "../transport/outgoing.ts";
import { UdpQuery } from "../transport/udp.ts";
import { COOKIE } from "./cookie.ts";
import type { KnownServer, OutstandingAsk } from "./known_server.ts";
import { type Evidence, formAfter, isComplaint } from "./ladder.ts";

/** For TCP, before using the truncated answer. */
const WHOLE_MS = 1000;

/** Reasons for TCP after UDP. */
type Detour = "truncated" | "cookie missing" | "forged" | "misspelt" | "no socket";

/**
 * One question to one server.
 *
 * ```
 *  datagram ──answer──────────────────────────────────► ended
 *     ├─ truncated, wrong replies, no port ─► stream ─► ended (truncated if TCP fails)
 *     ├─ EDNS refused ─► again with less of it
 *     └─ silence ─► ended
 * ```
 */
export class Ask implements Ticket, OutstandingAsk, TransportHandler {
  sentMs = 0;
  dueMs = 0;
  sends = 0;
  silenceReported = false;

  readonly #server: KnownServer;
  readonly #release: (ask: Ask) => void;
  readonly #query = new Outgoing(this);
  readonly #udp: UdpQuery;
  readonly #timer: Timer;
  #stage: "idle" | "datagram" | "stream" = "idle";
  #inquiry: Inquiry | null = null;
  #handler: AskHandler | null = null;
  #limitMs = 0;
  #form: number = FORM.OPTIONS;
  #evidence: Evidence = "none";
  #cookieSent = false;
  #withoutSubnet = false;
  #cookieRenewed = false;
  #detour: Detour | null = null;
  #truncated: { memory: Memory; size: number; subnetSent: boolean } | null = null;
  #answeredSinceMs = 0;

  constructor(server: KnownServer, release: (ask: Ask) => void) {
    this.#server = server;
    this.#release = release;
    this.#udp = new UdpQuery(this.#query, server.engine, {
      queue: server.group.sockets,
      onMismatch: (misspelt) => {
        server.countMismatch();
        return misspelt && server.spelling.misspelt();
      },
    });
    this.#timer = server.engine.timers.create(() => this.#timeOut());
  }

  /** Returns immediate failures. */
  start(
    inquiry: Inquiry,
    { streamed, again, limitMs }: AskOptions,
    handler: AskHandler,
  ): Outcome | null {
    const server = this.#server;
    const { settings } = server.group;
    const { nowMs, timers } = server.engine;
    this.#inquiry = inquiry;
    this.#handler = handler;
    this.#limitMs = limitMs;
    this.sentMs = nowMs;
    this.dueMs = Math.min(nowMs + settings.readTimeoutMs, limitMs);
    this.silenceReported = false;
    this.sends = 0;
    this.#evidence = again ? "again" : "none";
    this.#cookieRenewed = false;
    this.#withoutSubnet = false;
    this.#detour = null;
    const stream = streamed || settings.forceTcp || server.endpoint.tls !== null ||
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
    if (this.#stage === "stream") return this.#query.streamedSinceMs;
    return this.#udp.queued ? Infinity : this.#query.sentMs;
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
    // Another server has answered.
    if (this.silenceReported) this.#server.count("timeouts");
    this.#stop(false);
    this.#leave();
    this.#release(this);
  }

  reportSilence(): void {
    this.silenceReported = true;
    this.#handler!.suspected(this);
  }

  replied(memory: Memory, length: number): void {
    const server = this.#server;
    const { ladder, roundTrip, spelling, group: { reply }, engine: { nowMs } } = server;
    const { streamed } = this;
    const query = this.#query;
    if (streamed) server.record.streams = true;
    // A header alone proves nothing.
    if (!streamed && query.exactCase && memory.view.getUint16(4) === 0) {
      this.#overTcp("forged");
      return;
    }
    if (!reply.read(memory, length, this.#inquiry!)) {
      server.group.count("malformed");
      this.#fail("malformed reply");
      return;
    }
    reply.subnetSent = this.#subnetSent;
    if (streamed && query.misspelt) server.folds();
    if (this.#cookieSent && !this.#checkCookie(reply)) return;
    if (!streamed) spelling.right();
    if (query.exactCase && !query.misspelt) server.record.keptCase = true;
    this.#answeredSinceMs = this.#query.sentMs;
    this.#stop(false);
    server.heard(reply.rcode, nowMs - this.#answeredSinceMs);
    const complaint = isComplaint(reply.rcode);
    if (!complaint) ladder.heard(this.#form);
    if (this.#dropsWrongSubnet(reply)) return;
    if (reply.scanner.truncated && !streamed) {
      this.#askWhole(reply);
      return;
    }
    if (this.#asksAgain(reply)) return;
    if (!complaint) {
      ladder.answered(this.#form, nowMs, roundTrip.patienceMs, this.#evidence);
    }
    this.#end(outcomeOf(reply));
  }

  failed({ kind, why }: TransportFailure): void {
    if (this.#stage !== "datagram" || kind === "refused") {
      this.#fail(why);
    } else if (kind === "exhausted") {
      this.#overTcp("no socket");
    } else {
      this.#server.group.count("forgery");
      this.#server.spelling.suspectForgery(this.#server.engine.nowMs);
      this.#overTcp(kind === "misspelt" ? "misspelt" : "forged");
    }
  }

  get #subnetSent(): boolean {
    return this.#form === FORM.OPTIONS && !this.#withoutSubnet && this.#inquiry!.subnetLength > 0;
  }

  #transmit(stage: "datagram" | "stream"): TransportFailure | null {
    const { engine, cookie, spelling, endpoint, ladder, connections } = this.#server;
    const { nowMs } = engine;
    const inquiry = this.#inquiry!;
    const query = this.#query;
    const encrypted = endpoint.tls !== null;
    const streamed = stage === "stream";
    const hasCookie = !encrypted && cookie.size > 0;
    const hasOptions = hasCookie || encrypted || this.#subnetSent || inquiry.options.length > 0;
    if (!hasOptions && this.#form === FORM.OPTIONS) {
      this.#form = FORM.EDNS;
    }
    const withOptions = this.#form === FORM.OPTIONS;
    this.#stage = stage;
    this.#cookieSent = withOptions && hasCookie;
    // TCP only to learn whether the server changes case.
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
    this.sends++;
    ladder.sent(this.#form, nowMs);
    return streamed ? connections.send(query) : this.#udp.send(endpoint);
  }

  #again(stage: "datagram" | "stream" = this.streamed ? "stream" : "datagram"): void {
    const { engine, group } = this.#server;
    this.dueMs = Math.min(engine.nowMs + group.settings.readTimeoutMs, this.#limitMs);
    const failure = this.#transmit(stage);
    if (failure === null) {
      engine.timers.set(this.#timer, this.dueMs);
      return;
    }
    this.#fail(failure.why);
  }

  #overTcp(detour: Detour): void {
    this.#detour = detour;
    this.#stop(false);
    this.#again("stream");
  }

  #fail(why: string): void {
    this.#stop(false);
    const { cookie, record } = this.#server;
    if (this.streamed) record.streams = false;
    const detour = this.#detour;
    this.#detour = null;
    if (detour === "truncated") {
      this.#passOnTruncated();
      return;
    }
    if (detour === "no socket") {
      // The server may lack TCP.
      this.#stage = "datagram";
      this.#udp.queueAgain();
      return;
    }
    // Servers without TCP may stop sending cookies.
    if (detour === "cookie missing") cookie.forget();
    if (detour === "misspelt") this.#server.folds();
    this.#end({ kind: "failed", why });
  }

  #askWhole({ memory, size, subnetSent }: Reply): void {
    this.#truncated = { memory: copyMessage(memory, size), size, subnetSent };
    if (this.#server.tcpFails) {
      this.#passOnTruncated();
      return;
    }
    this.#limitMs = Math.min(this.#limitMs, this.#server.engine.nowMs + WHOLE_MS);
    this.#overTcp("truncated");
  }

  #passOnTruncated(): void {
    const { ladder, group: { reply } } = this.#server;
    const { memory, size, subnetSent } = this.#truncated!;
    this.#server.tcpFailed();
    // Says nothing about the form.
    ladder.heard(this.#form);
    reply.read(memory, size, this.#inquiry!);
    reply.subnetSent = subnetSent;
    this.#end({ kind: "answer", reply });
  }

  #checkCookie(reply: Reply): boolean {
    const { cookie } = this.#server;
    const verdict = cookie.check(reply.memory, reply.optAt);
    if (this.streamed) {
      // Unforgeable: the server stopped sending cookies.
      if (verdict === COOKIE.MISSING) cookie.forget();
      return true;
    }
    if (verdict === COOKIE.FORGED) this.#udp.mismatched();
    if (verdict === COOKIE.MISSING) this.#overTcp("cookie missing");
    return verdict === COOKIE.FINE;
  }

  /** Asks without subnet (RFC 7871 section 7.3). */
  #dropsWrongSubnet(reply: Reply): boolean {
    if (!this.#subnetSent || reply.isForSubnet(this.#inquiry!)) return false;
    this.#server.group.count("wrongSubnet");
    this.#withoutSubnet = true;
    this.#again();
    return true;
  }

  #asksAgain({ rcode }: Reply): boolean {
    const { ladder } = this.#server;
    if (rcode === RCODE.BADCOOKIE && this.#cookieSent && !this.streamed) {
      // A second refusal has other reasons.
      const renewed = this.#cookieRenewed;
      this.#cookieRenewed = true;
      this.#again(renewed ? "stream" : "datagram");
      return true;
    }
    const form = formAfter(rcode, this.#form, !ladder.knowsEdns && this.#evidence !== "refused");
    if (form === null) return false;
    ladder.heard(this.#form);
    this.#evidence = "refused";
    this.#form = form;
    this.#again();
    return true;
  }

  #timeOut(): void {
    const queued = this.#stage === "datagram" && this.#udp.queued;
    this.#stop(!queued);
    if (queued) {
      this.#end({ kind: "failed", why: "no port or file descriptor is free" }, false);
      return;
    }
    this.#answeredSinceMs = this.#query.sentMs;
    if (this.streamed) this.#server.record.streams = false;
    if (this.#detour === "truncated") {
      this.#passOnTruncated();
      return;
    }
    if (this.#detour === "cookie missing") this.#server.cookie.forget();
    this.#end({ kind: "silent" });
  }

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
    this.#truncated = null;
  }

  #end(outcome: Outcome, blamesServer = true): void {
    const handler = this.#handler!;
    this.#leave();
    const failed = outcome.kind === "failed" || outcome.kind === "silent";
    if (failed && blamesServer) this.#server.failed(this.sentMs, outcome);
    handler.ended(this, outcome);
    this.#release(this);
  }
}

function outcomeOf(reply: Reply): Outcome {
  const { scanner, rcode } = reply;
  if (scanner.extendedRcode !== 0) return { kind: "failed", why: `response code ${rcode}` };
  // Another server may send all of it.
  if (scanner.truncated || (rcode === RCODE.NOERROR && scanner.kind === KIND.LAME)) {
    return { kind: "refused", rcode: RCODE.SERVFAIL, elsewhere: true, reply };
  }
  const definite = rcode === RCODE.NOERROR || rcode === RCODE.NXDOMAIN || rcode === RCODE.YXDOMAIN;
  if (definite) return { kind: "answer", reply };
  const elsewhere = rcode === RCODE.REFUSED || rcode === RCODE.NOTIMP;
  return { kind: "refused", rcode, elsewhere, reply };
}
