import { EDE, FLAG, RCODE } from "../../dns/constants.ts";
import { KIND } from "../../dns/response_scan.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import { ANSWERED, type EngineServices, NEXT, type Verdict, WAIT } from "../../engine/handler.ts";
import type { AllCacheCounters, StaleReason } from "./counters.ts";
import type { CacheOptions, ServeStaleOptions } from "./options.ts";
import type { CacheReader } from "./reader.ts";
import type { Store } from "./store/store.ts";
import { Verifications } from "./verifications.ts";

/**
 * How long a refresh keeps others away, in tenths of a second: longer than any takes, since one may
 * end without a word (a handler that drops the query).
 */
const LEASE = 100;
/** Pause after a refresh that failed in a way that is not kept as a failure, likewise. */
const SHORT_PAUSE = 10;

/** What becomes of expired entries without `serve_stale`: nothing. */
const OFF: ServeStaleOptions = {
  durationMs: 0,
  mode: "immediate",
  verifyTimeoutMs: 0,
  responseTtlSeconds: 0,
  failureRecheckMs: 0,
};

/** What serving stale entries needs of its cache. */
export interface StaleServices {
  readonly options: CacheOptions;
  readonly engine: EngineServices;
  /** Position of the handler in its chain. */
  readonly position: number;
  /** Client subnets count. */
  readonly ecs: boolean;
}

/**
 * Serves expired entries while no better answer is available (RFC 8767), and keeps refreshes of all
 * entries, stale ones and prefetched ones, to one at a time.
 */
export class StaleServer {
  /** Whether stale entries are served at all. */
  readonly serves: boolean;

  readonly #reader: CacheReader;
  readonly #counters: AllCacheCounters;
  readonly #services: StaleServices;
  readonly #options: ServeStaleOptions;
  readonly #refreshes: boolean;
  readonly #verifications: Verifications;

  constructor(reader: CacheReader, counters: AllCacheCounters, services: StaleServices) {
    this.#reader = reader;
    this.#counters = counters;
    this.#services = services;
    const { serveStale, prefetch } = services.options;
    this.#options = serveStale ?? OFF;
    this.serves = reader.staleSeconds > 0;
    this.#refreshes = this.serves || prefetch.amount > 0;
    this.#verifications = new Verifications(services.engine, {
      subnets: services.ecs,
      timeOut: (waiter) => this.#giveUp(waiter),
    });
  }

  /** Claims the refresh of an entry; false where one is under way or has just failed. */
  claim(store: Store, row: number, now: number): boolean {
    return store.beginRefresh(row, now, now + LEASE);
  }

  /** Answers from a stale entry, at once or once asking has failed, as the options say. */
  serve(exchange: Exchange, store: Store, row: number, now: number): Verdict {
    const { engine, position } = this.#services;
    const counters = this.#counters.of(exchange.listener);
    const { success } = this.#reader.content;
    engine.values[store === success ? counters.hitsSuccess : counters.hitsDenial]!++;
    if (this.#options.mode === "verify") return this.#verify(exchange, store, row, now);
    if (!this.claim(store, row, now)) return this.#answer(exchange, store, row, "immediate");
    engine.values[counters.prefetches]!++;
    if (!engine.refresh(exchange, position)) {
      store.recheckAt(row, now);
      return this.#answer(exchange, store, row, "immediate");
    }
    // A handler of the block may have answered at once.
    return this.#answerBest(exchange, now, "immediate") ? ANSWERED : NEXT;
  }

  /**
   * Handles a response on its way up. One that may not replace a stale answer is replaced by it, and
   * the clients that waited for this refresh are answered.
   *
   * A client's query without RD is not a refresh, whatever came of it: most resolvers refuse it.
   */
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
      const store = this.#reader.findStale(exchange, now);
      if (store !== null) this.#answer(exchange, store, this.#reader.row, "failure");
    } else if (this.#options.mode === "verify") {
      // Clients get the same answer (AA) as those who ask a moment later.
      this.#reader.answerFresh(exchange, now);
    }
  }

  #verify(exchange: Exchange, store: Store, row: number, now: number): Verdict {
    const { engine, position } = this.#services;
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
  #mayReplace(exchange: Exchange, kind: number, now: number): boolean {
    const response = exchange.response!;
    const { rcode } = response;
    if (this.#reader.prefersPositive && this.#reader.hasPositive(exchange, now)) {
      return kind === KIND.SUCCESS;
    }
    if (rcode === RCODE.NXDOMAIN) return (response.flags & FLAG.TC) === 0;
    return kind === KIND.SUCCESS || kind === KIND.NODATA;
  }

  #pause(exchange: Exchange, now: number): number {
    const { failureRecheckMs } = this.#options;
    if (failureRecheckMs > 0) return failureRecheckMs / 100;
    if (this.#services.options.servfailMs < 1000) return 0;
    return Math.max(SHORT_PAUSE, 10 * this.#reader.failureRemaining(exchange, now));
  }

  #endRefresh(exchange: Exchange, now: number, recheckAt: number): void {
    const { success, denial } = this.#reader.content;
    let row = success.find(exchange, now);
    if (row >= 0) success.recheckAt(row, recheckAt);
    row = denial.find(exchange, now);
    if (row >= 0) denial.recheckAt(row, recheckAt);
  }

  #answerWaiters(exchange: Exchange, good: boolean, now: number): void {
    const { engine } = this.#services;
    const response = exchange.response!;
    let waiter = this.#verifications.take(exchange);
    while (waiter !== null) {
      const next: Exchange | null = waiter.nextWaiter;
      waiter.nextWaiter = null;
      const answered = good
        ? this.#reader.answerFresh(waiter, now)
        : this.#answerBest(waiter, now, "failure");
      if (!answered) waiter.response = response;
      engine.resume(waiter);
      waiter = next;
    }
  }

  /** Answers a waiting exchange from what there is. */
  #giveUp(waiter: Exchange): void {
    const { engine } = this.#services;
    const now = this.#reader.content.now(engine.nowMs);
    if (!this.#answerBest(waiter, now, "timeout")) {
      waiter.error = "the stale entry is gone, and no answer has come";
      waiter.extendedError = EDE.NO_REACHABLE_AUTHORITY;
      waiter.response = engine.failure(waiter, RCODE.SERVFAIL);
    }
    engine.resume(waiter);
  }

  /** Answers from a fresh entry, or else from a stale one; false where there is neither. */
  #answerBest(exchange: Exchange, now: number, reason: StaleReason): boolean {
    if (this.#reader.answerFresh(exchange, now)) return true;
    const store = this.#reader.findStale(exchange, now);
    if (store !== null) this.#answer(exchange, store, this.#reader.row, reason);
    return store !== null;
  }

  #answer(exchange: Exchange, store: Store, row: number, reason: StaleReason): Verdict {
    const { engine: { values }, options } = this.#services;
    const { responseTtlSeconds } = this.#options;
    values[this.#counters.of(exchange.listener).servedStale]!++;
    values[this.#counters.stale[reason]]!++;
    store.touch(row);
    exchange.error = "";
    const own = store.ttlOf(row);
    const ttlSeconds = responseTtlSeconds > 0 || !options.keepTtl
      ? Math.min(responseTtlSeconds, own)
      : own;
    this.#reader.answer(exchange, store, row, ttlSeconds);
    exchange.extendedError = exchange.response!.rcode === RCODE.NXDOMAIN
      ? EDE.STALE_NXDOMAIN
      : EDE.STALE;
    return ANSWERED;
  }
}
