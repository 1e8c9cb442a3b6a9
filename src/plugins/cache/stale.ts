import { EDE, FLAG, RCODE } from "../../dns/constants.ts";
import { KIND } from "../../dns/response_scan.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import { forEachWaiter, InFlight, PendingQuestion } from "../../engine/in_flight.ts";
import { ANSWERED, type EngineServices, NEXT, type Verdict, WAIT } from "../../engine/handler.ts";
import { hashSubnet } from "../../engine/question/read.ts";
import type { Timer } from "../../engine/timers.ts";
import type { CacheContent } from "./content.ts";
import type { CacheMetrics, StaleReason } from "./metrics.ts";
import type { CacheOptions, ServeStaleOptions } from "./options.ts";
import { isSameQuestion } from "./question.ts";
import type { Store } from "./store/store.ts";

/** Tenths of a second; some refreshes never end. */
const LEASE = 100;
/** After a failed refresh, in tenths of a second. */
const SHORT_PAUSE = 10;

const OFF: ServeStaleOptions = {
  durationMs: 0,
  mode: "immediate",
  verifyTimeoutMs: 0,
  responseTtlSeconds: 0,
  failureRecheckMs: 0,
};

/** Of stale answers without `serve_stale` (RFC 8767 section 4). */
export const PINNED_TTL_SECONDS = 30;

const MAX_SPARE = 256;

/** Exchanges that wait for a refresh (`serve_stale verify`). */
class Verification extends PendingQuestion {
  readonly timer: Timer;

  constructor(makeTimer: (verification: Verification) => Timer) {
    super();
    this.timer = makeTimer(this);
  }

  override asksFor(exchange: Exchange): boolean {
    return isSameQuestion(this.waiters!, exchange);
  }
}

/** Environment of `StaleServer`. */
export interface StaleServices {
  readonly options: CacheOptions;
  readonly engine: EngineServices;
  readonly position: number;
  readonly ecs: boolean;
}

/** Serves stale entries (RFC 8767); one refresh per entry is in flight. */
export class StaleServer {
  readonly serves: boolean;
  readonly #content: CacheContent;
  readonly #metrics: CacheMetrics;
  readonly #services: StaleServices;
  readonly #options: ServeStaleOptions;
  readonly #pinnedTtlSeconds: number;
  readonly #refreshes: boolean;
  readonly #verifications: InFlight<Verification>;
  readonly #spare: Verification[] = [];

  constructor(content: CacheContent, metrics: CacheMetrics, services: StaleServices) {
    this.#content = content;
    this.#metrics = metrics;
    this.#services = services;
    const { serveStale, prefetch } = services.options;
    this.#options = serveStale ?? OFF;
    this.#pinnedTtlSeconds = serveStale?.responseTtlSeconds ?? PINNED_TTL_SECONDS;
    this.serves = content.staleSeconds > 0;
    this.#refreshes = this.serves || prefetch.amount > 0;
    this.#verifications = new InFlight(services.engine, "verify");
  }

  /** False during a refresh, or just after it failed. */
  claim(store: Store, row: number, now: number): boolean {
    if (!store.mayRefresh(row, now)) return false;
    store.recheckAt(row, now + LEASE);
    return true;
  }

  /** Serves immediately, or if the handlers below fail. */
  serve(exchange: Exchange, store: Store, row: number, now: number): Verdict {
    const { engine, position } = this.#services;
    const counters = this.#metrics.of(exchange.listener);
    const { success, flushes } = this.#content;
    exchange.generation = flushes.generation;
    engine.values[store === success ? counters.hitsSuccess : counters.hitsDenial]!++;
    if (this.#options.mode === "verify") return this.#verify(exchange, store, row, now);
    if (!this.claim(store, row, now)) return this.#answer(exchange, store, row, now, "immediate");
    engine.values[counters.prefetches]!++;
    if (!engine.askBelow(exchange, position)) {
      store.recheckAt(row, now);
      return this.#answer(exchange, store, row, now, "immediate");
    }
    // A handler may have answered immediately.
    return this.#answerBest(exchange, now, "immediate") ? ANSWERED : NEXT;
  }

  /** `PinnedNames` refreshes it. */
  servePinned(exchange: Exchange, store: Store, row: number, now: number): Verdict {
    const counters = this.#metrics.of(exchange.listener);
    const { success } = this.#content;
    const { values } = this.#services.engine;
    values[store === success ? counters.hitsSuccess : counters.hitsDenial]!++;
    return this.#answer(exchange, store, row, now, "pinned");
  }

  /** Prefers stale answers; answers waiters. Queries without RD do not count: most are refused. */
  conclude(exchange: Exchange, kind: number, now: number): void {
    if (!this.#refreshes) return;
    const good = this.#mayReplace(exchange, kind, now);
    const refreshes = exchange.internal || exchange.recursionDesired;
    if (refreshes && (!good || exchange.internal || this.#options.failureRecheckMs > 0)) {
      this.#endRefresh(exchange, now, good ? now : now + this.#pause(exchange, now));
    }
    if (!this.serves) return;
    if (exchange.internal) {
      this.#answerWaiters(exchange, good, now);
    } else if (!good) {
      const store = this.#content.findStale(exchange, now);
      if (store !== null) this.#answer(exchange, store, this.#content.staleRow, now, "failure");
    } else if (this.#options.mode === "verify") {
      // With AA, as for later clients.
      this.#content.answerFresh(exchange, now);
    }
  }

  /** Others wait for this refresh. */
  isVerifying(exchange: Exchange): boolean {
    return this.#verificationOf(exchange) !== null;
  }

  #verify(exchange: Exchange, store: Store, row: number, now: number): Verdict {
    const { engine, position } = this.#services;
    const { verifyTimeoutMs, failureRecheckMs } = this.#options;
    if (verifyTimeoutMs === 0) {
      if (!store.mayRefresh(row, now)) return this.#answer(exchange, store, row, now, "recheck");
      // As in CoreDNS, others get the stale entry meanwhile only with FAILURE_RECHECK.
      if (failureRecheckMs > 0 && exchange.recursionDesired) this.claim(store, row, now);
      return NEXT;
    }
    const known = failureRecheckMs === 0 ? this.#verificationOf(exchange) : null;
    if (known !== null && this.#verifications.join(known, exchange)) return WAIT;
    if (known !== null || !this.claim(store, row, now)) {
      return this.#answer(exchange, store, row, now, "recheck");
    }
    const parked = this.#beginVerification(exchange, engine.nowMs + verifyTimeoutMs);
    if (parked === null) {
      store.recheckAt(row, now);
      return this.#answer(exchange, store, row, now, "recheck");
    }
    if (!engine.askBelow(parked, position)) {
      store.recheckAt(row, now);
      this.#endVerification(this.#verificationOf(parked)!);
      this.#giveUp(parked);
    }
    return WAIT;
  }

  #verificationOf(exchange: Exchange): Verification | null {
    return this.#verifications.find(exchange, this.#hashOf(exchange));
  }

  #beginVerification(exchange: Exchange, untilMs: number): Exchange | null {
    const { timers } = this.#services.engine;
    const verification = this.#spare.pop() ??
      new Verification((made) => timers.create(() => this.#expire(made)));
    const parked = this.#verifications.begin(verification, exchange, this.#hashOf(exchange));
    if (parked === null) this.#recycle(verification);
    else timers.set(verification.timer, untilMs);
    return parked;
  }

  /** For `forEachWaiter`. */
  #endVerification(verification: Verification): Exchange | null {
    this.#services.engine.timers.clear(verification.timer);
    const first = this.#verifications.end(verification);
    this.#recycle(verification);
    return first;
  }

  #recycle(verification: Verification): void {
    if (this.#spare.length < MAX_SPARE) this.#spare.push(verification);
  }

  #expire(verification: Verification): void {
    forEachWaiter(this.#endVerification(verification), (waiter) => this.#giveUp(waiter));
  }

  #hashOf(exchange: Exchange): number {
    const { ecs, engine } = this.#services;
    return ecs && exchange.ecsLength > 0 ? hashSubnet(exchange, engine.hashKey) : exchange.hash;
  }

  /** RFC 8767 section 4. */
  #mayReplace(exchange: Exchange, kind: number, now: number): boolean {
    const { rcode, flags } = exchange.response!;
    if (this.#content.prefersPositive && this.#content.hasPositive(exchange, now)) {
      return kind === KIND.SUCCESS;
    }
    if (rcode === RCODE.NXDOMAIN) return (flags & FLAG.TC) === 0;
    return kind === KIND.SUCCESS || kind === KIND.NODATA;
  }

  #pause(exchange: Exchange, now: number): number {
    const { failureRecheckMs } = this.#options;
    if (failureRecheckMs > 0) return failureRecheckMs / 100;
    if (this.#services.options.servfailMs < 1000) return 0;
    return Math.max(SHORT_PAUSE, 10 * this.#content.failureRemaining(exchange, now));
  }

  #endRefresh(exchange: Exchange, now: number, recheckAt: number): void {
    const { success, denial } = this.#content;
    let row = success.find(exchange, now);
    if (row >= 0) success.recheckAt(row, recheckAt);
    row = denial.find(exchange, now);
    if (row >= 0) denial.recheckAt(row, recheckAt);
  }

  #answerWaiters(exchange: Exchange, good: boolean, now: number): void {
    const response = exchange.response!;
    const verification = this.#verificationOf(exchange);
    if (verification === null) return;
    forEachWaiter(this.#endVerification(verification), (waiter) => {
      const answered = good
        ? this.#content.answerFresh(waiter, now)
        : this.#answerBest(waiter, now, "failure");
      if (!answered) waiter.response = response;
      this.#services.engine.resume(waiter);
    });
  }

  #giveUp(waiter: Exchange): void {
    const { engine } = this.#services;
    const now = this.#content.now(engine.nowMs);
    if (!this.#answerBest(waiter, now, "timeout")) {
      waiter.error = "the stale entry was evicted, and no answer has come";
      waiter.extendedError = EDE.NO_REACHABLE_AUTHORITY;
      waiter.response = engine.failure(waiter, RCODE.SERVFAIL);
    }
    engine.resume(waiter);
  }

  /** False without a fresh or stale entry. */
  #answerBest(exchange: Exchange, now: number, reason: StaleReason): boolean {
    if (this.#content.answerFresh(exchange, now)) return true;
    const store = this.#content.findStale(exchange, now);
    if (store !== null) this.#answer(exchange, store, this.#content.staleRow, now, reason);
    return store !== null;
  }

  #answer(
    exchange: Exchange,
    store: Store,
    row: number,
    now: number,
    reason: StaleReason,
  ): Verdict {
    const { engine: { values }, options } = this.#services;
    const responseTtlSeconds = reason === "pinned"
      ? this.#pinnedTtlSeconds
      : this.#options.responseTtlSeconds;
    values[this.#metrics.of(exchange.listener).servedStale]!++;
    values[this.#metrics.stale[reason]]!++;
    this.#metrics.observeStale(Math.max(0, -store.remaining(row, now)));
    exchange.stale = true;
    exchange.upstream = "";
    store.touch(row);
    exchange.error = "";
    const own = store.ttlOf(row);
    const limited = responseTtlSeconds > 0 || !options.keepTtl;
    this.#content.answer(exchange, store, row, limited ? Math.min(responseTtlSeconds, own) : own);
    exchange.extendedError = exchange.response!.rcode === RCODE.NXDOMAIN
      ? EDE.STALE_NXDOMAIN
      : EDE.STALE;
    return ANSWERED;
  }
}
