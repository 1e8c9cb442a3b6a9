import type { Exchange } from "../../engine/exchange/exchange.ts";
import { Memory } from "../../engine/memory.ts";
import { Response } from "../../engine/response/response.ts";
import { Flushes } from "./flush/flushes.ts";
import { EntryFilter, EVERYTHING } from "./flush/entry_filter.ts";
import type { CacheOptions } from "./options.ts";
import { MemoryLimit } from "./store/memory_limit.ts";
import { CLOCK_SPAN } from "./store/row.ts";
import { Store, type StoreOptions } from "./store/store.ts";
import { UpstreamLabels } from "./store/upstreams.ts";

/** After expiry a failure counts as recent: a multiple of its TTL. */
export const FAILURE_MEMORY = 2;
/** Capacity relative to denials. */
const FAILURES_SHARE = 1 / 4;

/** Stores of a cache; inherited on reload. */
export class CacheContent {
  // Replaced by `drop`.
  memory!: MemoryLimit;
  success!: Store;
  denial!: Store;
  /** Separate: failures (RFC 9520) never replace answers. */
  failures!: Store;
  readonly flushes = new Flushes();
  readonly upstreams = new UpstreamLabels();
  readonly staleSeconds: number;
  readonly prefersPositive: boolean;
  staleRow = -1;
  /** Follows new stores. */
  publisher: { follow(content: CacheContent): void } | null = null;
  readonly #options: CacheOptions;
  readonly #ecs: boolean;
  readonly #keepTtl: boolean;
  readonly #response = new Response(new Memory(8));
  /** In monotonic milliseconds. */
  #startMs: number;
  /** Of the last query or response. */
  #now = 0;

  constructor(options: CacheOptions, ecs: boolean, nowMs: number) {
    this.#options = options;
    this.#ecs = ecs;
    this.#keepTtl = options.keepTtl;
    this.staleSeconds = Math.floor((options.serveStale?.durationMs ?? 0) / 1000);
    this.prefersPositive = options.preferPositive && this.staleSeconds > 0;
    this.#startMs = nowMs;
    this.#fill(options.capacityBytes ?? Infinity);
  }

  /** New tables; the old ones become garbage. */
  drop(): void {
    const { success, denial, failures } = this;
    this.flushes.add(new EntryFilter(EVERYTHING));
    // Server blocks may have thousands of unused caches.
    if ([success, denial, failures].every(({ rows }) => rows.length === 0)) return;
    this.#fill(this.memory.limitBytes);
    this.success.inheritCounts(success);
    this.denial.inheritCounts(denial);
    this.failures.inheritCounts(failures);
  }

  #fill(limitBytes: number): void {
    const { success, denial, serveStale, servfailMs } = this.#options;
    const memory = this.memory = new MemoryLimit(limitBytes);
    const { upstreams } = this;
    const common: StoreOptions = {
      graceSeconds: Math.ceil((serveStale?.durationMs ?? 0) / 1000),
      subnets: this.#ecs ? "scope" : "none",
      memory,
      upstreams,
    };
    this.success = new Store(success.capacity, common);
    this.denial = new Store(denial.capacity, common);
    this.failures = new Store(Math.ceil(denial.capacity * FAILURES_SHARE), {
      graceSeconds: FAILURE_MEMORY * Math.floor(servfailMs / 1000),
      subnets: this.#ecs ? "exact" : "none",
      memory,
      upstreams,
    });
    this.publisher?.follow(this);
  }

  /** Tenths of a second, below `CLOCK_SPAN`. */
  now(nowMs: number): number {
    const tenths = (nowMs - this.#startMs) / 100;
    if (tenths < CLOCK_SPAN) return this.#now = tenths | 0;
    const whole = Math.floor(tenths);
    for (const store of [this.success, this.denial, this.failures]) store.moveBack(whole);
    this.#startMs += 100 * whole;
    return this.#now = 0;
  }

  /** The engine's time of a store's time. */
  milliseconds(tenths: number): number {
    return this.#startMs + 100 * tenths;
  }

  answer(exchange: Exchange, store: Store, row: number, ttlSeconds: number): void {
    const response = this.#response;
    store.read(row, response);
    response.ttlSeconds = ttlSeconds;
    response.ageSeconds = store.ageOf(row, this.#now);
    response.extendedRcode = 0;
    response.cached = true;
    exchange.response = response;
  }

  /** For a fresh entry. */
  answerFor(exchange: Exchange, store: Store, row: number, remaining: number): void {
    this.answer(exchange, store, row, this.#keepTtl ? store.ttlOf(row) : remaining);
  }

  answerFresh(exchange: Exchange, now: number): boolean {
    const { success, denial } = this;
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

  /** Sets `staleRow`. */
  findStale(exchange: Exchange, now: number): Store | null {
    const { success, denial } = this;
    this.staleRow = success.find(exchange, now);
    if (this.#isStale(success, this.staleRow, now) && success.hasAnswer(this.staleRow)) {
      return success;
    }
    this.staleRow = denial.find(exchange, now);
    return this.#isStale(denial, this.staleRow, now) ? denial : null;
  }

  /** Fresh, or may be served stale. */
  isPositive(row: number, now: number): boolean {
    const { success } = this;
    return row >= 0 && success.hasAnswer(row) &&
      (success.remaining(row, now) > -this.staleSeconds || success.isPinned(row));
  }

  hasPositive(exchange: Exchange, now: number): boolean {
    return this.isPositive(this.success.find(exchange, now), now);
  }

  hasGood(exchange: Exchange, now: number): boolean {
    if (this.hasPositive(exchange, now)) return true;
    const row = this.denial.find(exchange, now);
    return row >= 0 &&
      (this.denial.remaining(row, now) > -this.staleSeconds || this.denial.isPinned(row));
  }

  /** A denial for a narrower network wins (RFC 7871 section 7.3.1). */
  deniesCloser(exchange: Exchange, row: number, now: number): boolean {
    if (!this.#ecs || this.prefersPositive) return false;
    const { success, denial } = this;
    const denied = denial.find(exchange, now);
    return denied >= 0 && denial.remaining(denied, now) > 0 &&
      denial.fit(denied, exchange) > success.fit(row, exchange);
  }

  /** Seconds left; 0 for none. */
  failureRemaining(exchange: Exchange, now: number): number {
    const row = this.failures.find(exchange, now);
    return row < 0 ? 0 : Math.max(0, this.failures.remaining(row, now));
  }

  #isStale(store: Store, row: number, now: number): boolean {
    if (row < 0) return false;
    const remaining = store.remaining(row, now);
    return remaining <= 0 && (remaining > -this.staleSeconds || store.isPinned(row));
  }
}
