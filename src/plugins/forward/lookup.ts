import { MAX_MESSAGE_SIZE, RCODE } from "../../dns/constants.ts";
import { type Exchange, TCP } from "../../engine/exchange.ts";
import type { Memory } from "../../engine/memory.ts";
import { PendingQuestion } from "../../engine/question/in_flight.ts";
import type { Timer } from "../../engine/timers.ts";
import type { Attempt, FailureKind } from "./attempt.ts";
import { COOKIE } from "./cookie.ts";
import type { ForwardHandler } from "./handler.ts";
import { addQuestion, describeReply, readScope } from "./reply.ts";
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
export class Lookup extends PendingQuestion {
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
  /** A failure that an upstream has told of, given out if nothing better comes; -1 for none. */
  #failureCode = -1;
  /** Upstreams that packets went to, one for each. */
  readonly #sentTo: Upstream[] = [];

  constructor(forward: ForwardHandler) {
    super();
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
    this.#failureCode = -1;
    this.#sentTo.length = 0;
    this.#hedging = false;
    this.#secondMs = Infinity;
    this.#resting = false;
    // The client has waited since then, perhaps for another `forward` before this one.
    this.#deadlineMs = exchange.receivedMs + forward.totalMs;
    this.#streamed = options.forceTcp || (exchange.transport === TCP && !options.preferUdp);
    forward.hedges.earn();
    forward.resends.earn();
    this.#tryNext();
  }

  override asksFor(exchange: Exchange): boolean {
    return this.inquiry.equals(exchange, this.#forward.options.ecsPass);
  }

  /** A message that answers the question came. */
  replied(attempt: Attempt, memory: Memory, length: number): void {
    const forward = this.#forward;
    const { scanner, scanTime, options } = forward;
    const upstream = attempt.upstream!;
    const size = memory.view.getUint16(4) === 0 ? addQuestion(memory, this.inquiry) : length;
    if (size > MAX_MESSAGE_SIZE || !scanTime.scan(scanner, memory, size)) {
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
        attempt.doubtful = true;
        this.overTcp(attempt);
        return;
      }
    } else if (attempt.cookie && upstream.cookie.check(memory, optAt) === COOKIE.MISSING) {
      upstream.cookie.forget();
    }
    attempt.letGo();
    const tookMs = forward.engine.nowMs - attempt.sinceMs;
    // It was lost indeed: what was sent again came back in the usual time.
    if (attempt.resent && tookMs <= upstream.roundTrip.patienceMs) forward.resends.giveBack();
    upstream.replied(tookMs, scanner, attempt.plain);
    if (this.#asksAgain(attempt, upstream)) return;
    if (scanner.extendedRcode !== 0 || scanner.truncated) {
      forward.countMalformed();
      this.attemptFailed(attempt, "a reply that is no answer", "network");
      return;
    }
    if (this.#passesOver()) {
      this.#drop(attempt);
      // Something better may yet come from another upstream, within its usual time.
      if (this.#underWay.length > 0) {
        this.#waitBriefly(scanner.rcode);
        return;
      }
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
    // Without TCP, a server that has lost its cookies would be lost for good.
    if (attempt.doubtful) upstream.cookie.forget();
    this.#drop(attempt);
    if (kind === "timeout") this.#timeouts++;
    forward.lastError = `${upstream.label}: ${why}`;
    if (this.#underWay.length === 0) {
      // A client over TCP must not make a name fail, for everybody, where upstreams have UDP alone.
      this.#streamed = forward.options.forceTcp;
      this.#resting = false;
    }
    // It may tell this lookup that the upstream of another attempt is silent.
    if (kind !== "unsent") upstream.failed(sentMs);
    if (this.waiters === null) return;
    const moves = kind === "timeout" ||
      (!this.#hopeful() && forward.order.next(this.#index, upstream, 0) >= 0);
    if (this.#underWay.length === 0 || (moves && this.#mayTry())) this.#tryNext();
    else this.#schedule();
  }

  /** Nothing at all comes from the attempt's upstream: asks another one beside it. */
  upstreamSilent(attempt: Attempt): void {
    if (this.#hopeful() || !this.#mayTry()) return;
    const { order, engine, upstreams } = this.#forward;
    const index = order.next(this.#index, attempt.upstream, 0);
    if (index < 0) return;
    this.#attempts++;
    this.#secondMs = engine.nowMs + upstreams[index]!.roundTrip.patienceMs;
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

  /** Whether an upstream that is well has been asked and may still reply. */
  #hopeful(): boolean {
    for (const { upstream } of this.#underWay) if (upstream!.rank === 0) return true;
    return false;
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
      let index = this.#unspent(order.next(this.#index, null, 2));
      if (index < 0) break;
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
    else this.#schedule();
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
    this.#sentTo.push(upstream);
    if (this.#sentTo.length === 1) this.#planSecond(upstream, true);
    if (attempt.send(this, upstream, this.#streamed, dueMs)) return true;
    this.#drop(attempt);
    forward.lastError = `${upstream.label}: cannot send`;
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
    if (rcode === RCODE.FORMERR && scanner.edns && attempt.cookie && upstream.cookie.refuse()) {
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

  /** The upstream at `index`, or the next that may still have the question; -1 for none. */
  #unspent(index: number): number {
    const { order, options } = this.#forward;
    return options.maxConnectAttempts === 0 ? index : order.unspent(index, this.#sentTo);
  }

  /** Gives the attempts under way no more than a moment, and then this failure to the client. */
  #waitBriefly(rcode: number): void {
    const { nowMs } = this.#forward.engine;
    this.#failureCode = rcode;
    for (const attempt of this.#underWay) {
      const limitMs = nowMs + attempt.upstream!.roundTrip.patienceMs;
      attempt.dueMs = Math.min(attempt.dueMs, limitMs);
      this.#deadlineMs = Math.min(this.#deadlineMs, limitMs);
    }
    this.#schedule();
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

  #finish(memory: Memory, optAt: number): void {
    const { scanner, reply: response, options } = this.#forward;
    // First, because the table of TTLs will lie where OPT does.
    response.ecsScope = options.ecsPass && this.inquiry.subnetLength > 0
      ? readScope(memory, optAt)
      : -1;
    describeReply(response, scanner, memory);
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
    const { waiting } = attempt;
    attempt.timedOut();
    // Closing its connection may have ended the attempt.
    if (!this.#underWay.includes(attempt)) return;
    if (waiting) this.attemptFailed(attempt, "no port or file descriptor is free", "unsent");
    else this.attemptFailed(attempt, "i/o timeout", "timeout");
  }

  /** Sets when to ask a second upstream beside the first. */
  #planSecond(upstream: Upstream, first: boolean): void {
    const { options, engine, upstreams } = this.#forward;
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
    // Its time is up: what follows the time-out asks again.
    if (newest.dueMs <= nowMs || nowMs >= this.#deadlineMs || this.#extras >= MAX_EXTRAS) return;
    const { patienceMs } = newest.upstream!.roundTrip;
    if ((newest.waiting || !this.#hedging) && newest.sinceMs + patienceMs > nowMs) {
      // It has no socket yet, or its connection has only just come to stand, or not yet.
      this.#secondMs = Math.min(newest.sinceMs, nowMs) + patienceMs;
      return;
    }
    const other = order.next(this.#index, newest.upstream, 0);
    if (this.#hedging) {
      if (other >= 0 && forward.hedges.spend(nowMs)) {
        forward.countHedge();
        this.#extras++;
        this.#begin(other);
      }
      this.#planSecond(newest.upstream!, false);
      return;
    }
    // With no other upstream the same one, unless a stream makes sure that nothing gets lost.
    const index = other >= 0 || newest.streamed ? other : upstreams.indexOf(newest.upstream!);
    if (index < 0 || this.#unspent(index) !== index || !forward.resends.spend(nowMs)) return;
    forward.countResend();
    this.#extras++;
    // Each time twice as patient.
    this.#secondMs = nowMs + upstreams[index]!.roundTrip.patienceMs * 2 ** this.#extras;
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
    this.#forward.failed(this, {
      error: error === "" ? "no upstream answered" : error,
      silent: this.#timeouts > 0,
      rcode: this.#failureCode,
    });
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
