import { FLAG, MAX_MESSAGE_SIZE } from "../../dns/constants.ts";
import { KIND, MAX_RECORDS, ResponseScanner } from "../../dns/response_scan.ts";
import type { Exchange } from "../../engine/exchange.ts";
import { ANSWERED, type CreateHandler, type Handler, NEXT } from "../../engine/handler.ts";
import type { EngineServices, HandlerEnvironment, Verdict } from "../../engine/handler.ts";
import { Memory } from "../../engine/memory.ts";
import { Response } from "../../engine/response.ts";
import { ZoneTable } from "../../engine/zones.ts";
import type { CacheOptions } from "./options.ts";
import { type LoadRequest, type SaveRequest, Snapshot } from "./snapshot.ts";
import { Store } from "./store.ts";

/** TTL of a response that says nothing of how long it is good (CoreDNS's `MinimalDefaultTTL`). */
const FALLBACK_TTL_SECONDS = 5;

/** Makes the handler of one `cache` directive. */
export const createCache: CreateHandler<CacheOptions> = (options, environment) =>
  new CacheHandler(options, environment);

class CacheHandler implements Handler {
  readonly name = "cache";
  readonly #options: CacheOptions;
  readonly #engine: EngineServices;
  readonly #position: number;
  readonly #success: Store;
  readonly #denial: Store;
  /** Null where the cache serves every name of its block. */
  readonly #zones: ZoneTable<true> | null;
  readonly #noSuccess: ZoneTable<true>;
  readonly #noDenial: ZoneTable<true>;
  readonly #response = new Response(new Memory(8));
  readonly #scanner = new ResponseScanner();
  /** Where a handler's own response is put to be scanned; made when first needed. */
  #scratch: Memory | null = null;
  /** Made when the control plane first wants the cache kept or filled. */
  #snapshot: Snapshot | null = null;
  readonly #startMs: number;
  readonly #prefetchGap: number;

  readonly #requests: number;
  readonly #misses: number;
  readonly #hitsSuccess: number;
  readonly #hitsDenial: number;
  readonly #prefetches: number;
  readonly #drops: number;
  readonly #entriesSuccess: number;
  readonly #entriesDenial: number;
  readonly #evictionsSuccess: number;
  readonly #evictionsDenial: number;
  readonly #arenaBytes: number;

  constructor(options: CacheOptions, { engine, position, zones }: HandlerEnvironment) {
    this.#options = options;
    this.#engine = engine;
    this.#position = position;
    this.#success = new Store(options.success.capacity);
    this.#denial = new Store(options.denial.capacity);
    const all = zones.every((zone) => options.zones.includes(zone));
    this.#zones = all ? null : new ZoneTable(options.zones.map((zone) => [zone, true]));
    this.#noSuccess = new ZoneTable(options.disable.success.map((zone) => [zone, true]));
    this.#noDenial = new ZoneTable(options.disable.denial.map((zone) => [zone, true]));
    this.#startMs = engine.nowMs;
    this.#prefetchGap = options.prefetch.durationMs / 100;
    const label = options.zones.join(",");
    const counter = (name: string, labels: Record<string, string> = {}) =>
      engine.counter(name, { zones: label, ...labels });
    this.#requests = counter("coredns_cache_requests_total");
    this.#misses = counter("coredns_cache_misses_total");
    this.#hitsSuccess = counter("coredns_cache_hits_total", { type: "success" });
    this.#hitsDenial = counter("coredns_cache_hits_total", { type: "denial" });
    this.#prefetches = counter("coredns_cache_prefetch_total");
    this.#drops = counter("coredns_cache_drops_total");
    this.#entriesSuccess = counter("coredns_cache_entries", { type: "success" });
    this.#entriesDenial = counter("coredns_cache_entries", { type: "denial" });
    this.#evictionsSuccess = counter("coredns_cache_evictions_total", { type: "success" });
    this.#evictionsDenial = counter("coredns_cache_evictions_total", { type: "denial" });
    this.#arenaBytes = counter("nodens_cache_arena_bytes");
  }

  query(exchange: Exchange): Verdict {
    if (this.#zones !== null && this.#zones.match(exchange) === null) return NEXT;
    const { values } = this.#engine;
    values[this.#requests]!++;
    const now = this.#now();
    let store = this.#success;
    let row = store.find(exchange);
    let remaining = row < 0 ? 0 : store.remaining(row, now);
    if (remaining > 0) {
      values[this.#hitsSuccess]!++;
    } else {
      store = this.#denial;
      row = store.find(exchange);
      remaining = row < 0 ? 0 : store.remaining(row, now);
      if (remaining <= 0) {
        values[this.#misses]!++;
        return NEXT;
      }
      values[this.#hitsDenial]!++;
    }
    store.touch(row);
    if (this.#options.prefetch.amount > 0 && this.#isPrefetchDue(store, row, remaining, now)) {
      this.#prefetch(exchange, store, row);
      // The refresh may have been answered at once, and the entry replaced.
      row = store.find(exchange);
      if (row < 0) return NEXT;
      remaining = store.remaining(row, now);
    }
    const response = this.#response;
    store.read(row, response);
    response.ttlSeconds = this.#options.keepTtl ? store.ttlOf(row) : remaining;
    response.extendedRcode = 0;
    response.cached = true;
    exchange.response = response;
    return ANSWERED;
  }

  response(exchange: Exchange): void {
    const { response } = exchange;
    if (response === null || exchange.uncacheable || !exchange.recursionDesired) return;
    if (this.#zones !== null && this.#zones.match(exchange) === null) return;
    if (response.kind === KIND.UNKNOWN && !this.#describe(response)) return;
    const { success, denial, servfailMs } = this.#options;
    switch (response.kind) {
      case KIND.SUCCESS:
      case KIND.DELEGATION: {
        if (this.#noSuccess.match(exchange) !== null) break;
        const ttl = ttlOf(response, success.minTtlSeconds, success.maxTtlSeconds);
        this.#keep(this.#success, exchange, response, ttl);
        // The newest word on this question: a denial from before is no longer true.
        this.#drop(this.#denial, exchange);
        break;
      }
      case KIND.NXDOMAIN:
      case KIND.NODATA: {
        if (this.#noDenial.match(exchange) !== null) break;
        const ttl = ttlOf(response, denial.minTtlSeconds, denial.maxTtlSeconds);
        this.#keep(this.#denial, exchange, response, ttl);
        this.#drop(this.#success, exchange);
        break;
      }
      case KIND.SERVER_ERROR:
        if (this.#noDenial.match(exchange) !== null) break;
        // A positive answer that is still good is asked first, so a failure never hides it.
        this.#keep(this.#denial, exchange, response, Math.floor(servfailMs / 1000));
        break;
    }
    this.#publish();
  }

  /** Writes a slice of the cache into shared memory, or takes one from there. */
  ask(request: unknown): unknown {
    const asked = request as SaveRequest | LoadRequest;
    const snapshot = this.#snapshot ??= this.#makeSnapshot();
    if (asked.type === "save") return snapshot.save(asked, this.#now());
    const reply = snapshot.load(asked, this.#now());
    this.#publish();
    return reply;
  }

  #makeSnapshot(): Snapshot {
    const { success, denial, serveStale } = this.#options;
    return new Snapshot({
      success: this.#success,
      denial: this.#denial,
      maxTtlSeconds: { success: success.maxTtlSeconds, denial: denial.maxTtlSeconds },
      bothClasses: this.#options.preferPositive,
      staleSeconds: (serveStale?.durationMs ?? 0) / 1000,
      readQuestion: (exchange) => this.#engine.readStoredQuestion(exchange),
      keeps: (exchange, store) =>
        (this.#zones === null || this.#zones.match(exchange) !== null) &&
        (store === "success" ? this.#noSuccess : this.#noDenial).match(exchange) === null,
    });
  }

  #now(): number {
    return ((this.#engine.nowMs - this.#startMs) / 100) | 0;
  }

  #isPrefetchDue(store: Store, row: number, remaining: number, now: number): boolean {
    const { amount, percentage } = this.#options.prefetch;
    if (store.count(row, now, this.#prefetchGap) < amount) return false;
    return remaining <= Math.ceil(percentage / 100 * store.ttlOf(row));
  }

  #prefetch(exchange: Exchange, store: Store, row: number): void {
    if (!store.beginRefresh(row)) return;
    this.#engine.values[this.#prefetches]!++;
    this.#engine.refresh(exchange, this.#position);
  }

  /** Scans a response that comes from a handler of this block rather than from an upstream. */
  #describe(response: Response): boolean {
    const { memory, offset, length } = response;
    const scratch = this.#scratch ??= new Memory(MAX_MESSAGE_SIZE + 1 + 2 * MAX_RECORDS);
    scratch.bytes.set(memory.bytes.subarray(offset, offset + length));
    const scanner = this.#scanner;
    if (!scanner.scan(scratch.bytes, scratch.view, 0, length)) {
      this.#engine.values[this.#drops]!++;
      return false;
    }
    response.kind = response.extendedRcode === 0 ? scanner.kind : KIND.OTHER;
    response.minTtlSeconds = scanner.minTtlSeconds;
    return true;
  }

  #keep(store: Store, exchange: Exchange, response: Response, ttlSeconds: number): void {
    if (ttlSeconds <= 0) return;
    // Old stub resolvers take no answer without AA, so CoreDNS sets it on all that it has cached.
    store.insert(exchange, response, response.flags | FLAG.AA, ttlSeconds, this.#now());
    // The client that waited sees the TTL that the next one will see counting down.
    response.ttlSeconds = ttlSeconds;
  }

  #drop(store: Store, exchange: Exchange): void {
    const row = store.find(exchange);
    if (row >= 0) store.remove(row);
  }

  #publish(): void {
    const { values } = this.#engine;
    values[this.#entriesSuccess] = this.#success.size;
    values[this.#entriesDenial] = this.#denial.size;
    values[this.#evictionsSuccess] = this.#success.evictions;
    values[this.#evictionsDenial] = this.#denial.evictions;
    values[this.#arenaBytes] = this.#success.arenaBytes + this.#denial.arenaBytes;
  }
}

/** How long a response is good: its lowest TTL within the bounds, in seconds. */
function ttlOf(response: Response, minimum: number, maximum: number): number {
  const lowest = response.kind === KIND.DELEGATION || response.ttlCount === 0
    ? FALLBACK_TTL_SECONDS
    : response.minTtlSeconds;
  return Math.min(Math.max(lowest, minimum), maximum);
}
