import type { Exchange } from "../../engine/exchange/exchange.ts";
import { Memory } from "../../engine/memory.ts";
import { Response } from "../../engine/response/response.ts";
import type { CacheContent } from "./content.ts";
import type { CacheOptions } from "./options.ts";
import type { Store } from "./store/store.ts";

/** Finds the entry that answers a question, over the stores of a cache, and answers from it. */
export class CacheReader {
  readonly content: CacheContent;
  /** How long an entry may be served past its end; 0 if stale entries are not served. */
  readonly staleSeconds: number;
  /** A denial never takes the place of an answer that is fresh or may be served stale. */
  readonly prefersPositive: boolean;
  /** The row that `findStale` found. */
  row = -1;
  readonly #ecs: boolean;
  readonly #keepTtl: boolean;
  readonly #response = new Response(new Memory(8));

  /** @param ecs - client subnets count */
  constructor(content: CacheContent, options: CacheOptions, ecs: boolean) {
    this.content = content;
    this.#ecs = ecs;
    this.staleSeconds = Math.floor((options.serveStale?.durationMs ?? 0) / 1000);
    this.prefersPositive = options.preferPositive && this.staleSeconds > 0;
    this.#keepTtl = options.keepTtl;
  }

  /** Points the exchange's response at an entry. */
  answer(exchange: Exchange, store: Store, row: number, ttlSeconds: number): void {
    const response = this.#response;
    store.read(row, response);
    response.ttlSeconds = ttlSeconds;
    response.extendedRcode = 0;
    response.cached = true;
    exchange.response = response;
  }

  /** As `answer`, for an entry that is fresh for so many seconds. */
  answerFor(exchange: Exchange, store: Store, row: number, remaining: number): void {
    this.answer(exchange, store, row, this.#keepTtl ? store.ttlOf(row) : remaining);
  }

  /** Answers from a fresh entry; false if there is none. */
  answerFresh(exchange: Exchange, now: number): boolean {
    const { success, denial } = this.content;
    for (const store of [success, denial]) {
      const row = store.find(exchange, now);
      const remaining = row < 0 ? 0 : store.remaining(row, now);
      if (remaining > 0) {
        if (store === success && this.deniesCloser(exchange, row, now)) continue;
        this.answerFor(exchange, store, row, remaining);
        return true;
      }
      if (this.prefersPositive && store === success && this.isPositive(row, now)) break;
    }
    return false;
  }

  /** The store with an entry for the exchange's question that may be served stale, or null. */
  findStale(exchange: Exchange, now: number): Store | null {
    const { success, denial } = this.content;
    this.row = success.find(exchange, now);
    if (this.#isStale(success, this.row, now) && success.hasAnswer(this.row)) return success;
    this.row = denial.find(exchange, now);
    return this.#isStale(denial, this.row, now) ? denial : null;
  }

  /** Whether a row of the success store answers its question and is fresh or may be served stale. */
  isPositive(row: number, now: number): boolean {
    const { success } = this.content;
    return row >= 0 && success.remaining(row, now) > -this.staleSeconds && success.hasAnswer(row);
  }

  /** Whether there is an answer that is fresh or may be served stale. */
  hasPositive(exchange: Exchange, now: number): boolean {
    return this.isPositive(this.content.success.find(exchange, now), now);
  }

  /** Whether there is an answer or denial that is fresh or may be served stale. */
  hasGood(exchange: Exchange, now: number): boolean {
    if (this.hasPositive(exchange, now)) return true;
    const { denial } = this.content;
    const row = denial.find(exchange, now);
    return row >= 0 && denial.remaining(row, now) > -this.staleSeconds;
  }

  /**
   * Whether there is a denial for fewer clients than the answer at `row` of the success store: of the
   * networks that hold a client, the narrowest counts (RFC 7871 section 7.3.1).
   */
  deniesCloser(exchange: Exchange, row: number, now: number): boolean {
    if (!this.#ecs || this.prefersPositive) return false;
    const { success, denial } = this.content;
    const denied = denial.find(exchange, now);
    return denied >= 0 && denial.remaining(denied, now) > 0 &&
      denial.fit(denied, exchange) > success.fit(row, exchange);
  }

  /** Seconds for which failures of the exchange's question are kept from now on; 0 for none. */
  failureRemaining(exchange: Exchange, now: number): number {
    const { failures } = this.content;
    const row = failures.find(exchange, now);
    return row < 0 ? 0 : Math.max(0, failures.remaining(row, now));
  }

  #isStale(store: Store, row: number, now: number): boolean {
    if (row < 0) return false;
    const remaining = store.remaining(row, now);
    return remaining <= 0 && remaining > -this.staleSeconds;
  }
}
