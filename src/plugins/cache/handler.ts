import { EDE, FLAG, MAX_MESSAGE_SIZE } from "../../dns/constants.ts";
import { KIND, MAX_RECORDS, ResponseScanner } from "../../dns/response_scan.ts";
import type { Chain, Exchange } from "../../engine/exchange/exchange.ts";
import { ANSWERED, type CreateHandler, type Handler, NEXT } from "../../engine/handler.ts";
import type { EngineServices, HandlerEnvironment, Verdict } from "../../engine/handler.ts";
import type { Explanation } from "../../engine/explanation.ts";
import { Memory } from "../../engine/memory.ts";
import type { Response } from "../../engine/response/response.ts";
import { ResponseRewriter } from "../../engine/response/rewriter.ts";
import { ZoneTable } from "../../engine/question/zones.ts";
import { CacheContent, FAILURE_MEMORY } from "./content.ts";
import { hasDnssecRecords, hasSignatureOutOfTime } from "./dnssec.ts";
import { CacheMetrics } from "./metrics.ts";
import { EXPLAIN, KEEP, SEARCH_CUT, SNAPSHOT } from "./parts.ts";
import type { PinnedNames } from "./pinned/pinned_names.ts";
import type { SearchCut } from "./search_cut/search_cut.ts";
import { type CacheClassOptions, type CacheOptions, keepsContent } from "./options.ts";
import { hasQuestion } from "./question.ts";
import type { AddressedRequest } from "./operator/requests.ts";
import { OperatorScan } from "./operator/scan.ts";
import { ZoneSweep } from "./operator/zone_sweep.ts";
import type { LoadRequest, SaveRequest } from "./persist/requests.ts";
import type { Snapshot } from "./persist/snapshot.ts";
import { StaleServer } from "./stale.ts";
import type { Store } from "./store/store.ts";
import { prefixFor } from "./store/subnets.ts";

/** Only bounds the load. */
const EMPTY_SECONDS = 2;
const FIRST_FAILURE_SECONDS = 1;

/** Creates a `cache` handler. */
export const createCache: CreateHandler<CacheOptions> = (options, environment) =>
  new CacheHandler(options, environment);

/** Answers from memory; stores what comes from below. */
export class CacheHandler implements Handler {
  readonly name = "cache";
  readonly #options: CacheOptions;
  protected readonly engine: EngineServices;
  protected readonly position: number;
  protected readonly content: CacheContent;
  protected readonly metrics: CacheMetrics;
  readonly #zones: ZoneTable<true> | null;
  readonly #disabled: Readonly<Record<"success" | "denial", ZoneTable<true>>>;
  readonly #stale: StaleServer;
  readonly #pinned: PinnedNames | null;
  readonly #searchCut: SearchCut | null;
  /** Client subnets are passed on. */
  readonly #ecs: boolean;
  readonly #scanner = new ResponseScanner();
  #scratch: Memory | null = null;
  readonly #rewriter = new ResponseRewriter();
  #snapshot: Snapshot | null = null;
  #operator: OperatorScan | null = null;
  #sweep: ZoneSweep | null = null;
  readonly #blockZones: readonly string[];
  readonly #prefetchGap: number;

  constructor(options: CacheOptions, environment: HandlerEnvironment) {
    const { engine, position, zones, plugins = [], previous } = environment;
    this.#options = options;
    this.engine = engine;
    this.position = position;
    this.#blockZones = zones;
    const ecs = this.#ecs = plugins.some(({ name, options }) =>
      name === "forward" && (options as { ecsPass?: boolean }).ecsPass === true
    );
    const inherits = previous instanceof CacheHandler && ecs === previous.#ecs &&
      keepsContent(previous.#options, options);
    // The previous handler stores its remaining answers there too.
    this.content = inherits ? previous.content : new CacheContent(options, ecs, engine.nowMs);
    this.content.memory.resize(options.capacityBytes ?? Infinity);
    const all = zones.every((zone) => options.zones.includes(zone));
    this.#zones = all ? null : zoneTable(options.zones);
    this.#disabled = {
      success: zoneTable(options.disable.success),
      denial: zoneTable(options.disable.denial),
    };
    this.#prefetchGap = options.prefetch.durationMs / 100;
    this.metrics = new CacheMetrics(environment, options.zones, this.content);
    this.#stale = new StaleServer(this.content, this.metrics, { options, engine, position, ecs });
    if (inherits) previous.metrics.retire(this.metrics);
    this.#pinned = this.#pin(environment, previous instanceof CacheHandler ? previous : null);
    this.#searchCut = this.#cutSearch(environment, inherits ? previous : null);
    this.metrics.publish();
  }

  #pin(environment: HandlerEnvironment, previous: CacheHandler | null): PinnedNames | null {
    const options = this.#options;
    const content = this.content;
    const dropped = previous === null || previous.content === content ? null : previous.content;
    if (previous !== null && previous.#pinned !== null) previous.#pinned.stop(dropped === null);
    if (options.keep === undefined) return null;
    return new KEEP.value.PinnedNames({ options, content, dropped, environment });
  }

  #cutSearch(environment: HandlerEnvironment, from: CacheHandler | null): SearchCut | null {
    const { searchCut: clusters = [], zones } = this.#options;
    const previous = from === null ? null : from.#searchCut;
    previous?.stop();
    if (clusters.length === 0) return null;
    const content = this.content;
    return new SEARCH_CUT.value.SearchCut({
      clusters,
      content,
      environment,
      zones,
      ecs: this.#ecs,
      previous,
    });
  }

  joined(chain: Chain, _handlers: readonly Handler[]): void {
    this.#pinned?.join(chain);
    this.#searchCut?.join(chain);
  }

  stop(): void {
    this.#pinned?.stop();
    this.#searchCut?.stop();
    // The successor may have the content.
    this.#sweep?.end();
    this.metrics.retire();
  }

  query(exchange: Exchange): Verdict {
    if (this.#zones !== null && this.#zones.match(exchange) === null) return NEXT;
    const { values } = this.engine;
    const counters = this.metrics.of(exchange.listener);
    values[counters.requests]!++;
    const content = this.content;
    const now = content.now(this.engine.nowMs);
    let store = content.success;
    let row = store.find(exchange, now);
    let remaining = row < 0 ? 0 : store.remaining(row, now);
    if (remaining > 0 && !content.deniesCloser(exchange, row, now)) {
      values[counters.hitsSuccess]!++;
    } else {
      if (content.prefersPositive && content.isPositive(row, now)) {
        return this.#serveStale(exchange, store, row, now);
      }
      store = content.denial;
      row = store.find(exchange, now);
      remaining = row < 0 ? 0 : store.remaining(row, now);
      if (remaining <= 0) return this.#withoutFresh(exchange, now);
      values[counters.hitsDenial]!++;
    }
    store.touch(row);
    if (this.#options.prefetch.amount > 0 && this.#isPrefetchDue(store, row, remaining, now)) {
      this.#prefetch(exchange, store, row, now);
      // An immediate answer may have replaced the entry.
      row = store.find(exchange, now);
      if (row < 0) {
        exchange.generation = content.flushes.generation;
        return NEXT;
      }
      remaining = store.remaining(row, now);
    }
    content.answerFor(exchange, store, row, remaining);
    return ANSWERED;
  }

  explain(exchange: Exchange): Explanation {
    return EXPLAIN.value.explainCache(exchange, {
      options: this.#options,
      content: this.content,
      now: this.content.now(this.engine.nowMs),
      inZones: this.#zones === null || this.#zones.match(exchange) !== null,
      disabled: this.#disabled,
      verifying: this.#stale.isVerifying(exchange),
      cutSeconds: this.#searchCut?.covers(exchange, this.content.now(this.engine.nowMs)) ?? 0,
    });
  }

  response(exchange: Exchange): void {
    if (exchange.response === null) return;
    if (this.#zones !== null && this.#zones.match(exchange) === null) return;
    if (exchange.response.kind === KIND.UNKNOWN) this.#scan(exchange, exchange.response);
    const original = exchange.response;
    if (!exchange.dnssecOk && hasDnssecRecords(original, exchange.qtype)) {
      exchange.response = this.#rewriter.withoutDnssec(original);
    }
    const { response } = exchange;
    const expired = exchange.dnssecOk && hasSignatureOutOfTime(response, this.engine.wallMs());
    const kind = expired ? KIND.OTHER : response.kind;
    const now = this.content.now(this.engine.nowMs);
    if (
      !exchange.uncacheable && exchange.recursionDesired && !this.content.flushes.concern(exchange)
    ) {
      this.#store(exchange, response, kind, now);
      original.ttlSeconds = response.ttlSeconds;
      this.metrics.publish(exchange.listener);
    }
    if (this.#searchCut !== null) this.#searchCut.concluded(exchange, response, kind, now);
    this.#stale.conclude(exchange, kind, now);
    if (this.#pinned !== null) this.#pinned.concluded(exchange);
  }

  sourcesChanged(zone: string, why: string): void {
    if (this.#options.keepOnChange === true) return;
    const all = this.#blockZones.every((one) =>
      zone === "." || one === zone || one.endsWith(`.${zone}`)
    );
    if (all) this.content.drop();
    else (this.#sweep ??= new ZoneSweep(this.content, this.engine)).forget(zone);
    this.#searchCut?.forget();
    this.#pinned?.retry();
    this.metrics.publish();
    this.engine.log("info", `plugin/cache: ${why}: its answers are forgotten`);
  }

  ask(request: unknown): unknown {
    const asked = request as SaveRequest | LoadRequest | AddressedRequest;
    const now = this.content.now(this.engine.nowMs);
    if (asked.type === "save") return this.#snapshotted.save(asked, now);
    if (asked.type === "load") {
      const reply = this.#snapshotted.load(asked, now);
      this.engine.values[this.metrics.malformedEntries]! += reply.malformed;
      this.metrics.publish();
      return reply;
    }
    if (asked.zones.join() !== this.#blockZones.join()) return undefined;
    const reply = (this.#operator ??= new OperatorScan(this.content)).answer(
      asked,
      now,
    );
    this.metrics.publish();
    return reply;
  }

  /** Whether a hit depends on nothing but the entry. */
  protected get isPlain(): boolean {
    return this.#zones === null && !this.#ecs && !this.#options.keepTtl;
  }

  /** 0 without prefetching. */
  protected get prefetchGap(): number {
    return this.#options.prefetch.amount > 0 ? this.#prefetchGap : 0;
  }

  /** Seconds before expiry from which hits may refresh; 0 for never. */
  protected refreshSeconds(ttlSeconds: number): number {
    const { amount, percentage } = this.#options.prefetch;
    return amount > 0 ? Math.ceil(percentage / 100 * ttlSeconds) : 0;
  }

  get #snapshotted(): Snapshot {
    return this.#snapshot ??= this.#makeSnapshot();
  }

  #makeSnapshot(): Snapshot {
    const { success, denial, serveStale } = this.#options;
    return new SNAPSHOT.value.Snapshot({
      content: this.content,
      maxTtlSeconds: { success: success.maxTtlSeconds, denial: denial.maxTtlSeconds },
      staleSeconds: (serveStale?.durationMs ?? 0) / 1000,
      bothClasses: this.content.prefersPositive,
      ecs: this.#ecs,
      hashKey: this.engine.hashKey,
      keeps: (exchange, store) =>
        (this.#zones === null || this.#zones.match(exchange) !== null) &&
        this.#disabled[store].match(exchange) === null,
    });
  }

  #withoutFresh(exchange: Exchange, now: number): Verdict {
    const { values } = this.engine;
    const content = this.content;
    let stale: Store | null = null;
    if (this.#stale.serves || this.#pinned !== null) stale = content.findStale(exchange, now);
    if (this.#searchCut !== null && (stale === null || this.#isPlainDenial(stale))) {
      const { staleRow } = content;
      if (this.#searchCut.answer(exchange, now)) {
        values[this.metrics.of(exchange.listener).hitsDenial]!++;
        this.metrics.publish(exchange.listener);
        return ANSWERED;
      }
      content.staleRow = staleRow;
    }
    if (stale !== null) return this.#serveStale(exchange, stale, content.staleRow, now);
    const { failures } = content;
    const row = failures.find(exchange, now);
    const remaining = row < 0 ? 0 : failures.remaining(row, now);
    if (remaining > 0) {
      values[this.metrics.of(exchange.listener).hitsDenial]!++;
      exchange.extendedError = EDE.CACHED_ERROR;
      content.answer(exchange, failures, row, remaining);
      return ANSWERED;
    }
    values[this.metrics.of(exchange.listener).misses]!++;
    exchange.generation = content.flushes.generation;
    return NEXT;
  }

  #isPlainDenial(stale: Store): boolean {
    return stale === this.content.denial && !stale.isPinned(this.content.staleRow);
  }

  #serveStale(exchange: Exchange, store: Store, row: number, now: number): Verdict {
    if (store.isPinned(row)) return this.#stale.servePinned(exchange, store, row, now);
    return this.#stale.serve(exchange, store, row, now);
  }

  #isPrefetchDue(store: Store, row: number, remaining: number, now: number): boolean {
    const { amount, percentage } = this.#options.prefetch;
    if (store.count(row, now, this.#prefetchGap) < amount) return false;
    return remaining <= Math.ceil(percentage / 100 * store.ttlOf(row));
  }

  #prefetch(exchange: Exchange, store: Store, row: number, now: number): void {
    if (!this.#stale.claim(store, row, now)) return;
    this.engine.values[this.metrics.of(exchange.listener).prefetches]!++;
    exchange.generation = this.content.flushes.generation;
    if (!this.engine.askBelow(exchange, this.position)) store.recheckAt(row, now);
  }

  /** Upstream responses are already scanned. */
  #scan(exchange: Exchange, response: Response): void {
    const { memory, offset, length } = response;
    const scratch = this.#scratch ??= new Memory(MAX_MESSAGE_SIZE + 1 + 2 * MAX_RECORDS);
    scratch.bytes.set(memory.bytes.subarray(offset, offset + length));
    const scanner = this.#scanner;
    response.kind = KIND.OTHER;
    if (
      !scanner.scan(scratch.bytes, scratch.view, 0, length) || !hasQuestion(exchange, scratch, 0)
    ) {
      this.engine.values[this.metrics.of(exchange.listener).drops]!++;
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
    const content = this.content;
    const isDenial = kind === KIND.NXDOMAIN || kind === KIND.NODATA;
    const disabled = isDenial || kind === KIND.FAILURE
      ? this.#disabled.denial
      : this.#disabled.success;
    if (disabled.match(exchange) !== null) return;
    const prefix = prefixFor(exchange, response, this.#ecs ? "scope" : "none");
    if (kind === KIND.SUCCESS) {
      this.#insert(content.success, exchange, response, ttlOf(response, success), now);
      content.denial.removeWithin(exchange, prefix);
      content.failures.removeWithin(exchange, prefix);
    } else if (isDenial) {
      this.#insert(content.denial, exchange, response, ttlOf(response, denial), now);
      if (!content.prefersPositive || !content.hasPositive(exchange, now)) {
        content.success.removeWithin(exchange, prefix);
      }
      content.failures.removeWithin(exchange, prefix);
    } else if (kind === KIND.EMPTY) {
      if (content.hasGood(exchange, now)) return;
      const ttl = Math.min(EMPTY_SECONDS, success.maxTtlSeconds);
      this.#insert(content.success, exchange, response, ttl, now);
    } else if (kind === KIND.FAILURE) {
      this.#storeFailure(exchange, response, now);
    }
  }

  #insert(
    store: Store,
    exchange: Exchange,
    response: Response,
    ttlSeconds: number,
    now: number,
  ): void {
    if (ttlSeconds <= 0) return;
    this.engine.clientBucket(exchange);
    // As in CoreDNS: old stubs require AA.
    store.insert(exchange, response, response.flags | FLAG.AA, ttlSeconds, now);
    response.ttlSeconds = ttlSeconds;
  }

  /** Doubles the TTL of consecutive failures (RFC 9520 section 3.2). */
  #storeFailure(exchange: Exchange, response: Response, now: number): void {
    const maxSeconds = Math.floor(this.#options.servfailMs / 1000);
    const { failures } = this.content;
    const row = failures.find(exchange, now);
    let ttlSeconds = Math.min(FIRST_FAILURE_SECONDS, maxSeconds);
    if (row >= 0) {
      const remaining = failures.remaining(row, now);
      if (remaining > 0) return;
      const last = failures.ttlOf(row);
      if (-remaining <= FAILURE_MEMORY * last) ttlSeconds = Math.min(2 * last, maxSeconds);
    }
    this.#insert(failures, exchange, response, ttlSeconds, now);
  }
}

function zoneTable(zones: readonly string[]): ZoneTable<true> {
  return new ZoneTable(zones.map((zone) => [zone, true]));
}

function ttlOf(response: Response, { minTtlSeconds, maxTtlSeconds }: CacheClassOptions): number {
  return Math.min(Math.max(response.minTtlSeconds, minTtlSeconds), maxTtlSeconds);
}
