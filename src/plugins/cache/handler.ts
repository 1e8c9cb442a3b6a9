import { EDE, FLAG, MAX_MESSAGE_SIZE } from "../../dns/constants.ts";
import { KIND, MAX_RECORDS, ResponseScanner } from "../../dns/response_scan.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import { ANSWERED, type CreateHandler, type Handler, NEXT } from "../../engine/handler.ts";
import type { EngineServices, HandlerEnvironment, Verdict } from "../../engine/handler.ts";
import { Memory } from "../../engine/memory.ts";
import type { Response } from "../../engine/response/response.ts";
import { ResponseRewriter } from "../../engine/response/rewriter.ts";
import { ZoneTable } from "../../engine/question/zones.ts";
import { CacheContent, FAILURE_MEMORY } from "./content.ts";
import { AllCacheCounters } from "./counters.ts";
import { hasDnssecRecords, hasSignatureOutOfTime } from "./dnssec.ts";
import { CacheGauges } from "./gauges.ts";
import { type CacheOptions, keepsContent } from "./options.ts";
import { hasQuestion } from "./question.ts";
import { type LoadRequest, type SaveRequest, Snapshot } from "./persist/snapshot.ts";
import { CacheReader } from "./reader.ts";
import { StaleServer } from "./stale.ts";
import type { Store } from "./store/store.ts";
import { prefixFor } from "./store/subnets.ts";

/** How long a response is kept at most that says nothing of its name: it only bounds the load. */
const EMPTY_SECONDS = 2;
/** How long a failure is kept at first; each one that follows is kept twice as long as the last. */
const FIRST_FAILURE_SECONDS = 1;
/** Makes the handler of one `cache` directive. */
export const createCache: CreateHandler<CacheOptions> = (options, environment) =>
  new CacheHandler(options, environment);

/** Keeps what the handlers below answer, and answers from what it keeps. */
export class CacheHandler implements Handler {
  readonly name = "cache";
  readonly #options: CacheOptions;
  readonly #engine: EngineServices;
  readonly #position: number;
  readonly #content: CacheContent;
  readonly #counters: AllCacheCounters;
  readonly #gauges: CacheGauges;
  /** Null where the cache serves every name of its block. */
  readonly #zones: ZoneTable<true> | null;
  readonly #noSuccess: ZoneTable<true>;
  readonly #noDenial: ZoneTable<true>;
  readonly #reader: CacheReader;
  readonly #stale: StaleServer;
  /** Client subnets count, because a `forward` of the block passes them on. */
  readonly #ecs: boolean;
  readonly #scanner = new ResponseScanner();
  /** Where messages are put to be scanned; made when first needed. */
  #scratch: Memory | null = null;
  readonly #rewriter = new ResponseRewriter();
  /** Made when the control plane first wants the cache kept or filled. */
  #snapshot: Snapshot | null = null;
  readonly #prefetchGap: number;
  readonly #failureSeconds: number;

  constructor(options: CacheOptions, environment: HandlerEnvironment) {
    const { engine, position, zones, plugins } = environment;
    this.#options = options;
    this.#engine = engine;
    this.#position = position;
    this.#ecs = plugins?.some(passesSubnet) ?? false;
    const ecs = this.#ecs;
    this.#failureSeconds = Math.floor(options.servfailMs / 1000);
    const { previous } = environment;
    // The one before goes on to store what its queries in flight bring.
    const inherits = previous instanceof CacheHandler && previous.#canInherit(options, ecs);
    this.#content = inherits ? previous.#content : new CacheContent(options, ecs, engine.nowMs);
    this.#content.memory.resize(options.capacityBytes ?? Infinity);
    const all = zones.every((zone) => options.zones.includes(zone));
    this.#zones = all ? null : new ZoneTable(options.zones.map((zone) => [zone, true]));
    this.#noSuccess = new ZoneTable(options.disable.success.map((zone) => [zone, true]));
    this.#noDenial = new ZoneTable(options.disable.denial.map((zone) => [zone, true]));
    this.#prefetchGap = options.prefetch.durationMs / 100;
    this.#counters = new AllCacheCounters(environment, options.zones);
    this.#gauges = new CacheGauges(this.#content, this.#counters, engine.values);
    this.#reader = new CacheReader(this.#content, options, ecs);
    this.#stale = new StaleServer(this.#reader, this.#counters, { options, engine, position, ecs });
    if (inherits) previous.#gauges.retire(this.#gauges);
    this.#gauges.publish();
  }

  stop(): void {
    this.#gauges.retire();
  }

  /** The stores' clock: tenths of a second. */
  get now(): number {
    return this.#content.now(this.#engine.nowMs);
  }

  query(exchange: Exchange): Verdict {
    if (this.#zones !== null && this.#zones.match(exchange) === null) return NEXT;
    const { values } = this.#engine;
    const counters = this.#counters.of(exchange.listener);
    values[counters.requests]!++;
    const now = this.now;
    const reader = this.#reader;
    const { success, denial } = this.#content;
    let store = success;
    let row = store.find(exchange, now);
    let remaining = row < 0 ? 0 : store.remaining(row, now);
    if (remaining > 0 && !reader.deniesCloser(exchange, row, now)) {
      values[counters.hitsSuccess]!++;
    } else {
      if (reader.prefersPositive && reader.isPositive(row, now)) {
        return this.#stale.serve(exchange, store, row, now);
      }
      store = denial;
      row = store.find(exchange, now);
      remaining = row < 0 ? 0 : store.remaining(row, now);
      if (remaining <= 0) return this.#withoutFresh(exchange, now);
      values[counters.hitsDenial]!++;
    }
    store.touch(row);
    if (this.#options.prefetch.amount > 0 && this.#isPrefetchDue(store, row, remaining, now)) {
      this.#prefetch(exchange, store, row, now);
      // The refresh may have been answered at once, and the entry replaced.
      row = store.find(exchange, now);
      if (row < 0) return NEXT;
      remaining = store.remaining(row, now);
    }
    reader.answerFor(exchange, store, row, remaining);
    return ANSWERED;
  }

  response(exchange: Exchange): void {
    if (exchange.response === null) return;
    if (this.#zones !== null && this.#zones.match(exchange) === null) return;
    if (exchange.response.kind === KIND.UNKNOWN) this.#describe(exchange, exchange.response);
    const original = exchange.response;
    if (!exchange.dnssecOk && hasDnssecRecords(original, exchange.qtype)) {
      exchange.response = this.#rewriter.withoutDnssec(original);
    }
    const { response } = exchange;
    let { kind } = response;
    if (exchange.dnssecOk && hasSignatureOutOfTime(response, this.#engine.wallMs())) {
      kind = KIND.OTHER;
    }
    const now = this.now;
    if (!exchange.uncacheable && exchange.recursionDesired) {
      this.#store(exchange, response, kind, now);
      // Others may wait for the same response: they see the same TTL.
      original.ttlSeconds = response.ttlSeconds;
      this.#gauges.publish(exchange.listener);
    }
    this.#stale.conclude(exchange, kind, now);
  }

  /** Writes a slice of the cache into shared memory, or takes one from there. */
  ask(request: unknown): unknown {
    const asked = request as SaveRequest | LoadRequest;
    const snapshot = this.#snapshot ??= this.#makeSnapshot();
    if (asked.type === "save") return snapshot.save(asked, this.now);
    const reply = snapshot.load(asked, this.now);
    this.#engine.values[this.#counters.malformedEntries]! += reply.malformed;
    this.#gauges.publish();
    return reply;
  }

  #makeSnapshot(): Snapshot {
    const { success, denial, serveStale } = this.#options;
    return new Snapshot({
      success: this.#content.success,
      denial: this.#content.denial,
      maxTtlSeconds: { success: success.maxTtlSeconds, denial: denial.maxTtlSeconds },
      staleSeconds: (serveStale?.durationMs ?? 0) / 1000,
      bothClasses: this.#reader.prefersPositive,
      ecs: this.#ecs,
      hashKey: this.#engine.hashKey,
      keeps: (exchange, store) =>
        (this.#zones === null || this.#zones.match(exchange) !== null) &&
        (store === "success" ? this.#noSuccess : this.#noDenial).match(exchange) === null,
    });
  }

  /** Whether a cache with these options may go on with the content of this one. */
  #canInherit(options: CacheOptions, ecs: boolean): boolean {
    return ecs === this.#ecs && keepsContent(this.#options, options);
  }

  #withoutFresh(exchange: Exchange, now: number): Verdict {
    const { values } = this.#engine;
    if (this.#stale.serves) {
      const store = this.#reader.findStale(exchange, now);
      if (store !== null) return this.#stale.serve(exchange, store, this.#reader.row, now);
    }
    const { failures } = this.#content;
    const row = failures.find(exchange, now);
    if (row >= 0) {
      const remaining = failures.remaining(row, now);
      if (remaining > 0) {
        values[this.#counters.of(exchange.listener).hitsDenial]!++;
        exchange.extendedError = EDE.CACHED_ERROR;
        this.#reader.answer(exchange, failures, row, remaining);
        return ANSWERED;
      }
    }
    values[this.#counters.of(exchange.listener).misses]!++;
    return NEXT;
  }

  #isPrefetchDue(store: Store, row: number, remaining: number, now: number): boolean {
    const { amount, percentage } = this.#options.prefetch;
    if (store.count(row, now, this.#prefetchGap) < amount) return false;
    return remaining <= Math.ceil(percentage / 100 * store.ttlOf(row));
  }

  #prefetch(exchange: Exchange, store: Store, row: number, now: number): void {
    if (!this.#stale.claim(store, row, now)) return;
    this.#engine.values[this.#counters.of(exchange.listener).prefetches]!++;
    if (!this.#engine.refresh(exchange, this.#position)) store.recheckAt(row, now);
  }

  /** Scans a response that comes from a handler of this block rather than from an upstream. */
  #describe(exchange: Exchange, response: Response): void {
    const { memory, offset, length } = response;
    const scratch = this.#scratch ??= new Memory(MAX_MESSAGE_SIZE + 1 + 2 * MAX_RECORDS);
    scratch.bytes.set(memory.bytes.subarray(offset, offset + length));
    const scanner = this.#scanner;
    response.kind = KIND.OTHER;
    if (
      !scanner.scan(scratch.bytes, scratch.view, 0, length) || !hasQuestion(exchange, scratch, 0)
    ) {
      this.#engine.values[this.#counters.of(exchange.listener).drops]!++;
      return;
    }
    if (response.extendedRcode === 0) {
      // Only upstreams can be lame.
      response.kind = scanner.kind === KIND.LAME ? KIND.EMPTY : scanner.kind;
    }
    response.minTtlSeconds = scanner.minTtlSeconds;
  }

  #store(exchange: Exchange, response: Response, kind: number, now: number): void {
    const { success, denial } = this.#options;
    const content = this.#content;
    const prefix = prefixFor(exchange, response, this.#ecs ? "scope" : "none");
    switch (kind) {
      case KIND.SUCCESS: {
        if (this.#noSuccess.match(exchange) !== null) break;
        const ttl = ttlOf(response, success.minTtlSeconds, success.maxTtlSeconds);
        this.#keep(content.success, exchange, response, ttl, now);
        // The newest word on this question: an older denial or failure is wrong now.
        content.denial.removeWithin(exchange, prefix);
        content.failures.removeWithin(exchange, prefix);
        break;
      }
      case KIND.EMPTY:
        if (this.#noSuccess.match(exchange) !== null || this.#reader.hasGood(exchange, now)) break;
        this.#keep(
          content.success,
          exchange,
          response,
          Math.min(EMPTY_SECONDS, success.maxTtlSeconds),
          now,
        );
        break;
      case KIND.NXDOMAIN:
      case KIND.NODATA: {
        if (this.#noDenial.match(exchange) !== null) break;
        const ttl = ttlOf(response, denial.minTtlSeconds, denial.maxTtlSeconds);
        this.#keep(content.denial, exchange, response, ttl, now);
        if (!this.#reader.prefersPositive || !this.#reader.hasPositive(exchange, now)) {
          content.success.removeWithin(exchange, prefix);
        }
        content.failures.removeWithin(exchange, prefix);
        break;
      }
      case KIND.FAILURE:
        if (this.#noDenial.match(exchange) === null) this.#keepFailure(exchange, response, now);
        break;
    }
  }

  #keep(
    store: Store,
    exchange: Exchange,
    response: Response,
    ttlSeconds: number,
    now: number,
  ): void {
    if (ttlSeconds <= 0) return;
    this.#engine.clientBucket(exchange);
    // Old stub resolvers take no answer without AA, so CoreDNS sets it on all that it has cached.
    store.insert(exchange, response, response.flags | FLAG.AA, ttlSeconds, now);
    // The client that waited sees the TTL that the next one will see counting down.
    response.ttlSeconds = ttlSeconds;
  }

  /** Keeps a failure, for longer the more often the same question has failed (RFC 9520 3.2). */
  #keepFailure(exchange: Exchange, response: Response, now: number): void {
    const most = this.#failureSeconds;
    const { failures } = this.#content;
    const row = failures.find(exchange, now);
    let ttlSeconds = Math.min(FIRST_FAILURE_SECONDS, most);
    if (row >= 0) {
      const remaining = failures.remaining(row, now);
      if (remaining > 0) return;
      const last = failures.ttlOf(row);
      if (-remaining <= FAILURE_MEMORY * last) ttlSeconds = Math.min(2 * last, most);
    }
    this.#keep(failures, exchange, response, ttlSeconds, now);
  }
}

/** How long a response is good: its lowest TTL within the bounds, in seconds. */
function ttlOf(response: Response, minimum: number, maximum: number): number {
  return Math.min(Math.max(response.minTtlSeconds, minimum), maximum);
}

function passesSubnet({ name, options }: { name: string; options: unknown }): boolean {
  return name === "forward" && (options as { ecsPass?: boolean }).ecsPass === true;
}
