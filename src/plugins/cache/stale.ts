import { EDE, FLAG, RCODE } from "../../dns/constants.ts";
import { KIND } from "../../dns/response_scan.ts";
import type { Exchange } from "../../engine/exchange.ts";
import { ANSWERED, NEXT, type Verdict, WAIT } from "../../engine/handler.ts";
import type { StaleReason } from "./counters.ts";
import type { CacheHandler } from "./handler.ts";
import type { ServeStaleOptions } from "./options.ts";
import type { Store } from "./store.ts";
import { Verifications } from "./verifications.ts";

/**
 * How long a refresh keeps others away, in tenths of a second: longer than any takes, since one may
 * end without a word (a handler that drops the query).
 */
const LEASE = 100;
/** Pause after a refresh that failed in a way that is not kept as a failure, likewise. */
const SHORT_PAUSE = 10;

/**
 * Serves entries that have expired while nothing better is to be had (RFC 8767), and keeps refreshes
 * of all entries, stale ones and prefetched ones, to one at a time.
 */
export class StaleServer {
  /** Whether stale entries are served at all. */
  readonly serves: boolean;
  /** The row that `find` found. */
  row = -1;

  readonly #cache: CacheHandler;
  readonly #options: ServeStaleOptions;
  readonly #seconds: number;
  readonly #refreshes: boolean;
  readonly #verifications: Verifications;

  constructor(cache: CacheHandler) {
    this.#cache = cache;
    const { serveStale, prefetch } = cache.options;
    this.#options = serveStale ?? {
      durationMs: 0,
      mode: "immediate",
      verifyTimeoutMs: 0,
      responseTtlSeconds: 0,
      failureRecheckMs: 0,
    };
    this.#seconds = Math.floor(this.#options.durationMs / 1000);
    this.serves = this.#seconds > 0;
    this.#refreshes = this.serves || prefetch.amount > 0;
    this.#verifications = new Verifications(cache.engine, {
      subnets: cache.ecs,
      timeOut: (waiter) => this.#giveUp(waiter),
    });
  }

  /** The store with an entry for the exchange's question that may be served stale, or null. */
  find(exchange: Exchange, now: number): Store | null {
    const { success, denial } = this.#cache;
    this.row = success.find(exchange, now);
    if (this.#isStale(success, this.row, now) && success.hasAnswer(this.row)) return success;
    this.row = denial.find(exchange, now);
    return this.#isStale(denial, this.row, now) ? denial : null;
  }

  /** Whether a row of the success store answers its question and is fresh or may be served stale. */
  isPositive(row: number, now: number): boolean {
    const { success } = this.#cache;
    return row >= 0 && success.remaining(row, now) > -this.#seconds && success.hasAnswer(row);
  }

  /** Whether there is an answer or denial that is fresh or may be served stale. */
  hasGood(exchange: Exchange, now: number): boolean {
    const { success, denial } = this.#cache;
    if (this.isPositive(success.find(exchange, now), now)) return true;
    const row = denial.find(exchange, now);
    return row >= 0 && denial.remaining(row, now) > -this.#seconds;
  }

  /** Claims the refresh of an entry; false where one is under way or has just failed. */
  claim(store: Store, row: number, now: number): boolean {
    return store.beginRefresh(row, now, now + LEASE);
  }

  /** Answers from a stale entry, at once or once asking has failed, as the options say. */
  serve(exchange: Exchange, store: Store, row: number, now: number): Verdict {
    const cache = this.#cache;
    const { engine } = cache;
    const counters = cache.counters.of(exchange.listener);
    engine.values[store === cache.success ? counters.hitsSuccess : counters.hitsDenial]!++;
    if (this.#options.mode === "verify") return this.#verify(exchange, store, row, now);
    if (!this.claim(store, row, now)) return this.#answer(exchange, store, row, "immediate");
    engine.values[counters.prefetches]!++;
    if (!engine.refresh(exchange, cache.position)) {
      store.recheckAt(row, now);
      return this.#answer(exchange, store, row, "immediate");
    }
    // A handler of the block may have answered at once.
    return this.#answerBest(exchange, now, "immediate") ? ANSWERED : NEXT;
  }

  /**
   * Sees a response on its way up: where it is no answer that may replace a stale one, the stale
   * one is given instead; and whoever waited for this refresh is answered.
   *
   * A client's query without RD is no refresh, whatever came of it: most resolvers refuse it.
   */
  settle(exchange: Exchange, kind: number, now: number): void {
    if (!this.#refreshes) return;
    const good = this.#mayReplace(exchange, kind);
    const refreshes = exchange.internal || exchange.recursionDesired;
    if (refreshes && (!good || exchange.internal || this.#options.failureRecheckMs > 0)) {
      this.#endRefresh(exchange, now, good ? now : now + this.#pause(exchange, now));
    }
    if (!this.serves) return;
    if (exchange.internal) {
      this.#answerWaiters(exchange, good, now);
    } else if (!good) {
      const store = this.find(exchange, now);
      if (store !== null) this.#answer(exchange, store, this.row, "failure");
    } else if (this.#options.mode === "verify") {
      // Clients get the same answer (AA) as those who ask a moment later.
      this.#answerFresh(exchange, now);
    }
  }

  #verify(exchange: Exchange, store: Store, row: number, now: number): Verdict {
    const { engine, position } = this.#cache;
    const { verifyTimeoutMs, failureRecheckMs } = this.#options;
    if (verifyTimeoutMs === 0) {
      if (!store.mayRefresh(row, now)) return this.#answer(exchange, store, row, "recheck");
      // Only then do others get the stale entry while this one asks (CoreDNS's FAILURE_RECHECK).
      if (failureRecheckMs > 0 && exchange.recursionDesired) this.claim(store, row, now);
      return NEXT;
    }
    const joined = failureRecheckMs === 0 ? this.#verifications.join(exchange) : null;
    if (joined === true) return WAIT;
    if (joined === false || !this.claim(store, row, now)) {
      return this.#answer(exchange, store, row, "recheck");
    }
    const parked = this.#verifications.begin(exchange, engine.nowMs + verifyTimeoutMs);
    if (parked === null) {
      store.recheckAt(row, now);
      return this.#answer(exchange, store, row, "recheck");
    }
    if (!engine.refresh(parked, position)) {
      store.recheckAt(row, now);
      this.#verifications.take(parked);
      this.#giveUp(parked);
    }
    return WAIT;
  }

  /**
   * RFC 8767 section 4: only NOERROR and NXDOMAIN say something of the name; and NOERROR does not
   * without an answer or an SOA record.
   */
  #mayReplace(exchange: Exchange, kind: number): boolean {
    const response = exchange.response!;
    const { rcode } = response;
    if (this.#cache.options.preferPositive && this.serves) {
      const { success, now } = this.#cache;
      if (this.isPositive(success.find(exchange, now), now)) {
        return kind === KIND.SUCCESS;
      }
    }
    if (rcode === RCODE.NXDOMAIN) return (response.flags & FLAG.TC) === 0;
    return kind === KIND.SUCCESS || kind === KIND.NODATA;
  }

  #pause(exchange: Exchange, now: number): number {
    const { failureRecheckMs } = this.#options;
    if (failureRecheckMs > 0) return failureRecheckMs / 100;
    if (this.#cache.options.servfailMs < 1000) return 0;
    return Math.max(SHORT_PAUSE, 10 * this.#cache.failureRemaining(exchange, now));
  }

  #endRefresh(exchange: Exchange, now: number, recheckAt: number): void {
    const { success, denial } = this.#cache;
    let row = success.find(exchange, now);
    if (row >= 0) success.recheckAt(row, recheckAt);
    row = denial.find(exchange, now);
    if (row >= 0) denial.recheckAt(row, recheckAt);
  }

  #answerWaiters(exchange: Exchange, good: boolean, now: number): void {
    const { engine } = this.#cache;
    const response = exchange.response!;
    let waiter = this.#verifications.take(exchange);
    while (waiter !== null) {
      const next: Exchange | null = waiter.nextWaiter;
      waiter.nextWaiter = null;
      const answered = good
        ? this.#answerFresh(waiter, now)
        : this.#answerBest(waiter, now, "failure");
      if (!answered) waiter.response = response;
      engine.resume(waiter);
      waiter = next;
    }
  }

  /** Answers a waiting exchange from what there is. */
  #giveUp(waiter: Exchange): void {
    const { engine, now } = this.#cache;
    if (!this.#answerBest(waiter, now, "timeout")) {
      waiter.error = "the stale entry is gone, and no answer has come";
      waiter.extendedError = EDE.NO_REACHABLE_AUTHORITY;
      waiter.response = engine.failure(waiter, RCODE.SERVFAIL);
    }
    engine.resume(waiter);
  }

  /** Answers from a fresh entry, or else from a stale one; false where there is neither. */
  #answerBest(exchange: Exchange, now: number, reason: StaleReason): boolean {
    if (this.#answerFresh(exchange, now)) return true;
    const store = this.find(exchange, now);
    if (store !== null) this.#answer(exchange, store, this.row, reason);
    return store !== null;
  }

  /** Answers from a fresh entry; false where there is none. */
  #answerFresh(exchange: Exchange, now: number): boolean {
    const { success, denial, options } = this.#cache;
    for (const store of [success, denial]) {
      const row = store.find(exchange, now);
      const remaining = row < 0 ? 0 : store.remaining(row, now);
      if (remaining > 0) {
        if (store === success && this.#cache.deniesCloser(exchange, row, now)) continue;
        const ttlSeconds = options.keepTtl ? store.ttlOf(row) : remaining;
        this.#cache.answer(exchange, store, row, ttlSeconds);
        return true;
      }
      if (options.preferPositive && store === success && this.isPositive(row, now)) break;
    }
    return false;
  }

  #isStale(store: Store, row: number, now: number): boolean {
    if (row < 0) return false;
    const remaining = store.remaining(row, now);
    return remaining <= 0 && remaining > -this.#seconds;
  }

  #answer(exchange: Exchange, store: Store, row: number, reason: StaleReason): Verdict {
    const cache = this.#cache;
    const { responseTtlSeconds } = this.#options;
    const { values } = cache.engine;
    values[cache.counters.of(exchange.listener).servedStale]!++;
    values[cache.counters.stale[reason]]!++;
    store.touch(row);
    exchange.error = "";
    const own = store.ttlOf(row);
    const ttlSeconds = responseTtlSeconds > 0 || !cache.options.keepTtl
      ? Math.min(responseTtlSeconds, own)
      : own;
    const verdict = cache.answer(exchange, store, row, ttlSeconds);
    exchange.extendedError = exchange.response!.rcode === RCODE.NXDOMAIN
      ? EDE.STALE_NXDOMAIN
      : EDE.STALE;
    return verdict;
  }
}
