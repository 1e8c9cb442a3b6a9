import { EDNS_OPTION, HEADER_SIZE, MAX_MESSAGE_SIZE, RCODE } from "../../dns/constants.ts";
import { KIND } from "../../dns/response_scan.ts";
import { type Exchange, TCP } from "../../engine/exchange.ts";
import type { Memory } from "../../engine/memory.ts";
import type { Timer } from "../../engine/timers.ts";
import type { Attempt, FailureKind } from "./attempt.ts";
import { COOKIE } from "./cookie.ts";
import { findOption } from "./edns_option.ts";
import type { ForwardHandler } from "./handler.ts";
import { Inquiry } from "./upstream_query.ts";
import type { Upstream } from "./upstream.ts";

/** Pause between two rounds of all upstreams where the number of attempts has no limit. */
const REST_MS = 50;
/** Time for one query while every upstream is down: long enough for one that is just back. */
const ALL_DOWN_MS = 500;
/** Attempts under way at a time. */
const MAX_UNDER_WAY = 4;
/** How often a question is sent again before any attempt has failed. */
const MAX_EXTRAS = 3;
/** Hedges come no sooner than this: batches and scheduling alone take that long. */
const MIN_HEDGE_MS = 5;
/** Extended response code of a server that wants its fresh cookie (RFC 7873 section 8). */
const BADCOOKIE = 23;

/**
 * One question on its way to the upstreams, for every exchange that asks it.
 *
 * ```
 *  attempt ──reply──────────────────────────────► answered
 *     ├─ failed or timed out ─► next upstream ─► …
 *     ├─ its upstream is silent ─► another one beside it
 *     └─ later than usual ─► another one beside it, within a budget
 * ```
 *
 * A few attempts may be under way at a time; the first good reply wins.
 */
export class Lookup {
  /** The exchange that asked first, and those that joined it (`nextWaiter`). */
  waiters: Exchange | null = null;
  waiterCount = 0;
  /** Key among the lookups under way, and the next one of the same key. */
  key = 0;
  next: Lookup | null = null;
  readonly inquiry = new Inquiry();

  readonly #forward: ForwardHandler;
  readonly #timer: Timer;
  /** Attempts under way, oldest first. */
  readonly #underWay: Attempt[] = [];
  #deadlineMs = 0;
  /** When the question is sent once more although no attempt has failed. */
  #secondMs = Infinity;
  /** How often that has happened. */
  #extras = 0;
  /** What that comes out of: hedging, or asking again what may be lost. */
  #hedging = false;
  #index = 0;
  #attempts = 0;
  #answersTried = 0;
  #streamed = false;
  #resting = false;
  #timeouts = 0;

  constructor(forward: ForwardHandler) {
    this.#forward = forward;
    this.#timer = forward.engine.timers.create(() => this.#due());
  }

  /** Starts with the question of a parked exchange. */
  start(exchange: Exchange): void {
    const forward = this.#forward;
    const { options, engine } = forward;
    this.inquiry.set(exchange, options.ecsPass);
    this.#index = forward.order.first(engine.nowMs);
    this.#attempts = 0;
    this.#answersTried = 0;
    this.#timeouts = 0;
    this.#extras = 0;
    this.#resting = false;
    this.#deadlineMs = engine.nowMs + forward.totalMs;
    this.#streamed = options.forceTcp || (exchange.transport === TCP && !options.preferUdp);
    forward.hedges.earn();
    forward.resends.earn();
    this.#planSecond(true);
    this.#tryNext();
  }

  /** Whether the exchange asks exactly what this lookup asks. */
  asksFor(exchange: Exchange): boolean {
    return this.inquiry.equals(exchange, this.#forward.options.ecsPass);
  }

  /** A message that answers the question came. */
  replied(attempt: Attempt, memory: Memory, length: number): void {
    const forward = this.#forward;
    const { scanner, options } = forward;
    const upstream = attempt.upstream!;
    const size = memory.view.getUint16(4) === 0 ? this.#addQuestion(memory) : length;
    if (size > MAX_MESSAGE_SIZE || !scanner.scan(memory.bytes, memory.view, 0, size)) {
      forward.countMalformed();
      this.attemptFailed(attempt, "malformed reply", "network");
      return;
    }
    // The scanner leaves OPT out, which stands behind the records that it keeps.
    const optAt = scanner.edns ? scanner.length : -1;
    if (attempt.cookie && !attempt.streamed) {
      const verdict = upstream.cookie.check(memory, optAt);
      if (verdict === COOKIE.FORGED) {
        attempt.mismatched();
        return;
      }
      if (verdict === COOKIE.MISSING) {
        this.overTcp(attempt);
        return;
      }
    } else if (attempt.cookie && upstream.cookie.check(memory, optAt) === COOKIE.MISSING) {
      upstream.cookie.forget();
    }
    attempt.letGo();
    const tookMs = forward.engine.nowMs - attempt.sentMs;
    // It was lost indeed: what was sent again came back in the usual time.
    if (attempt.resent && tookMs <= upstream.roundTrip.patienceMs) forward.resends.giveBack();
    upstream.replied(tookMs, scanner.rcode | (scanner.extendedRcode << 4));
    if (this.#asksAgain(attempt, upstream)) return;
    if (this.#passesOver()) {
      this.#drop(attempt);
      // Something better may yet come from another upstream.
      if (this.#underWay.length > 0) return;
      if (options.failover.includes(scanner.rcode)) {
        this.#tryNext();
        return;
      }
    }
    this.#finish(memory, optAt);
  }

  /** An attempt has failed for good. */
  attemptFailed(attempt: Attempt, why: string, kind: FailureKind): void {
    const forward = this.#forward;
    const upstream = attempt.upstream!;
    const { sentMs } = attempt;
    this.#drop(attempt);
    if (kind === "timeout") this.#timeouts++;
    forward.lastError = `${upstream.label}: ${why}`;
    if (this.#underWay.length === 0) {
      this.#streamed = this.#startsStreamed();
      this.#resting = false;
    }
    // It may tell this lookup that the upstream of another attempt is silent.
    upstream.failed(sentMs);
    if (this.waiters === null) return;
    if (this.#underWay.length === 0 || (kind === "timeout" && this.#mayTry())) this.#tryNext();
    else this.#schedule();
  }

  /** Nothing at all comes from the attempt's upstream: asks another one beside it. */
  upstreamSilent(attempt: Attempt): void {
    if (this.#underWay.length !== 1 || !this.#mayTry()) return;
    const index = this.#forward.order.next(this.#index, attempt.upstream, 0);
    if (index < 0) return;
    this.#attempts++;
    this.#begin(index);
    this.#schedule();
  }

  /** Asks the same upstream again, by a stream: what comes by UDP cannot be trusted. */
  overTcp(attempt: Attempt): void {
    attempt.letGo();
    this.#again(attempt, true);
  }

  /** Asks the same upstream again in the same way; no failure of it. */
  again(attempt: Attempt): void {
    attempt.letGo();
    this.#again(attempt, attempt.streamed);
  }

  /** The transport that an attempt begins with. */
  #startsStreamed(): boolean {
    const { forceTcp, preferUdp } = this.#forward.options;
    return forceTcp || (this.waiters?.transport === TCP && !preferUdp);
  }

  #mayTry(): boolean {
    const { options, engine, upstreams } = this.#forward;
    const limit = options.maxConnectAttempts ?? 2 * upstreams.length;
    return engine.nowMs < this.#deadlineMs && this.#underWay.length < MAX_UNDER_WAY &&
      (limit === 0 || this.#attempts < limit);
  }

  /** Picks the upstream for the next attempt and sends, or gives up. */
  #tryNext(): void {
    const forward = this.#forward;
    const { upstreams, options, engine, order } = forward;
    let rested = this.#resting;
    this.#resting = false;
    while (this.#mayTry()) {
      const unlimited = options.maxConnectAttempts === 0;
      if (unlimited && !rested && this.#attempts > 0 && this.#attempts % upstreams.length === 0) {
        // Attempts without a limit: where failures come at once, they must not follow at once.
        this.#resting = true;
        engine.timers.set(this.#timer, Math.min(engine.nowMs + REST_MS, this.#deadlineMs));
        return;
      }
      rested = false;
      let index = order.next(this.#index, null, 2);
      if (upstreams[index]!.rank === 2) {
        // All are down: either the checks are wrong or nothing helps, so try one anyway.
        forward.countAllDown();
        if (options.failfastAllUnhealthyUpstreams) {
          this.#fail("no healthy proxies");
          return;
        }
        index = engine.random() % upstreams.length;
        this.#deadlineMs = Math.min(this.#deadlineMs, engine.nowMs + ALL_DOWN_MS);
      }
      this.#attempts++;
      if (this.#begin(index)) {
        this.#schedule();
        return;
      }
    }
    if (this.#underWay.length === 0) this.#fail("");
  }

  /** Sends to an upstream, beside the attempt under way where there is one. */
  #begin(index: number, limitMs = this.#deadlineMs): boolean {
    const forward = this.#forward;
    const { engine, options, upstreams } = forward;
    const upstream = upstreams[index]!;
    this.#index = index + 1;
    const attempt = forward.takeAttempt();
    const dueMs = Math.min(engine.nowMs + options.readTimeoutMs, limitMs);
    // Before the sending, which may fail at once and say so.
    this.#underWay.push(attempt);
    if (attempt.send(this, upstream, this.#streamed, dueMs)) return true;
    this.#drop(attempt);
    forward.lastError = `${upstream.label}: cannot send`;
    upstream.failed(engine.nowMs);
    return false;
  }

  #again(attempt: Attempt, streamed: boolean): void {
    const { engine, options } = this.#forward;
    const upstream = attempt.upstream!;
    if (engine.nowMs >= this.#deadlineMs) {
      this.attemptFailed(attempt, "i/o timeout", "timeout");
      return;
    }
    const dueMs = Math.min(engine.nowMs + options.readTimeoutMs, this.#deadlineMs);
    if (attempt.send(this, upstream, streamed, dueMs)) this.#schedule();
    else this.attemptFailed(attempt, "cannot connect", "network");
  }

  /** Whether the reply means that the same upstream is to be asked in another way; does so. */
  #asksAgain(attempt: Attempt, upstream: Upstream): boolean {
    const { scanner } = this.#forward;
    const rcode = scanner.rcode | (scanner.extendedRcode << 4);
    if (scanner.truncated && !attempt.streamed) {
      this.#again(attempt, true);
      return true;
    }
    if (rcode === BADCOOKIE && attempt.cookie && !attempt.streamed) {
      // The server's fresh cookie has been learnt; a second refusal is no matter of cookies.
      const streamed = attempt.repeated;
      attempt.repeated = true;
      this.#again(attempt, streamed);
      return true;
    }
    if (rcode === RCODE.FORMERR && scanner.edns && attempt.cookie) {
      upstream.cookie.refuse();
      this.#again(attempt, attempt.streamed);
      return true;
    }
    const refusesEdns = rcode === RCODE.FORMERR || rcode === RCODE.NOTIMP;
    if (refusesEdns && !scanner.edns && !attempt.plain && !this.inquiry.dnssecOk) {
      // A server from before EDNS: once more without (RFC 6891 section 7).
      attempt.plain = true;
      this.#again(attempt, attempt.streamed);
      return true;
    }
    return false;
  }

  /** Whether a reply says too little to end the lookup with it. */
  #passesOver(): boolean {
    const { scanner, options, upstreams } = this.#forward;
    if (options.failover.includes(scanner.rcode)) {
      this.#answersTried++;
      return this.#answersTried < upstreams.length && this.#mayTry();
    }
    const failure = scanner.rcode === RCODE.SERVFAIL || scanner.rcode === RCODE.REFUSED;
    return failure && this.#underWay.length > 1;
  }

  /** Puts the question into a reply that came as a header alone; returns the new length. */
  #addQuestion(memory: Memory): number {
    const { questionLength, memory: own } = this.inquiry;
    memory.view.setUint16(4, 1);
    for (let i = 0; i < questionLength; i++) {
      memory.bytes[HEADER_SIZE + i] = own.bytes[HEADER_SIZE + i]!;
    }
    memory.view.setUint32(6, 0);
    memory.view.setUint16(10, 0);
    return HEADER_SIZE + questionLength;
  }

  #finish(memory: Memory, optAt: number): void {
    const { scanner, reply: response, options } = this.#forward;
    response.ecsScope = options.ecsPass && this.inquiry.subnetLength > 0
      ? readScope(memory, optAt)
      : -1;
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

  /** The timer: a rest is over, an attempt's time is up, or it is time for a second one. */
  #due(): void {
    const forward = this.#forward;
    const { nowMs } = forward.engine;
    if (this.#resting) {
      this.#tryNext();
      return;
    }
    if (nowMs >= this.#secondMs) this.#askSecond();
    for (let i = this.#underWay.length - 1; i >= 0; i--) {
      const attempt = this.#underWay[i];
      if (attempt !== undefined && attempt.dueMs <= nowMs) this.#timeOut(attempt);
    }
    if (this.#underWay.length > 0) this.#schedule();
  }

  #timeOut(attempt: Attempt): void {
    attempt.timedOut();
    // Closing its connection may have ended the attempt.
    if (this.#underWay.includes(attempt)) this.attemptFailed(attempt, "i/o timeout", "timeout");
  }

  /** Sets when to ask a second upstream beside the first. */
  #planSecond(first: boolean): void {
    const { options, engine, upstreams } = this.#forward;
    const upstream = upstreams[this.#index % upstreams.length]!;
    this.#hedging = first && options.hedgeMs !== null && upstreams.length > 1;
    const waitMs = !this.#hedging
      ? upstream.roundTrip.patienceMs
      : options.hedgeMs === "auto"
      ? Math.max(upstream.roundTrip.usualMs, MIN_HEDGE_MS)
      : options.hedgeMs!;
    this.#secondMs = engine.nowMs + waitMs;
  }

  /** The reply takes longer than usual: asks once more, as far as the budgets go. */
  #askSecond(): void {
    const forward = this.#forward;
    const { engine, order, upstreams } = forward;
    const { nowMs } = engine;
    this.#secondMs = Infinity;
    const newest = this.#underWay[this.#underWay.length - 1];
    if (newest === undefined || this.#underWay.length >= MAX_UNDER_WAY) return;
    if (nowMs >= this.#deadlineMs || this.#extras >= MAX_EXTRAS) return;
    const other = order.next(this.#index, newest.upstream, 0);
    if (this.#hedging) {
      if (other >= 0 && forward.hedges.spend(nowMs)) {
        forward.countHedge();
        this.#extras++;
        this.#begin(other);
      }
      this.#planSecond(false);
      return;
    }
    // With no other upstream the same one, unless a stream makes sure that nothing gets lost.
    const index = other >= 0 || newest.streamed ? other : upstreams.indexOf(newest.upstream!);
    if (index < 0 || !forward.resends.spend(nowMs)) return;
    forward.countResend();
    const { patienceMs } = upstreams[index]!.roundTrip;
    this.#extras++;
    // Each time twice as patient.
    this.#secondMs = nowMs + patienceMs * 2 ** this.#extras;
    // It has the time that is left to what it repeats.
    if (this.#begin(index, newest.dueMs)) this.#underWay[this.#underWay.length - 1]!.resent = true;
  }

  #schedule(): void {
    let dueMs = this.#secondMs;
    for (const attempt of this.#underWay) if (attempt.dueMs < dueMs) dueMs = attempt.dueMs;
    this.#forward.engine.timers.set(this.#timer, dueMs);
  }

  #fail(why: string): void {
    const error = why === "" ? this.#forward.lastError : why;
    this.#end();
    this.#forward.failed(this, error === "" ? "no upstream answered" : error, this.#timeouts > 0);
  }

  #end(): void {
    for (let last = this.#underWay.pop(); last !== undefined; last = this.#underWay.pop()) {
      this.#forward.giveAttempt(last);
    }
    this.#forward.engine.timers.clear(this.#timer);
  }

  /** Lets go of an attempt. */
  #drop(attempt: Attempt): void {
    const place = this.#underWay.indexOf(attempt);
    if (place >= 0) this.#underWay.splice(place, 1);
    this.#forward.giveAttempt(attempt);
  }
}

/** Scope of the client subnet in a reply (RFC 7871 section 6), or -1 where it has none. */
function readScope(memory: Memory, optAt: number): number {
  const at = optAt < 0 ? -1 : findOption(memory, optAt, EDNS_OPTION.CLIENT_SUBNET);
  return at < 0 || memory.view.getUint16(at - 2) < 4 ? -1 : memory.bytes[at + 3]!;
}

/** Whether a response says that the name exists but has nothing of the type asked for. */
export function isNodata(kind: number, answerCount: number, rcode: number): boolean {
  return kind === KIND.NODATA || (rcode === RCODE.NOERROR && answerCount === 0);
}
