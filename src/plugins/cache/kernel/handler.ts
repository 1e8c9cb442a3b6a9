import { CLASS, FLAG, HEADER_SIZE } from "../../../dns/constants.ts";
import type { Chain, Exchange } from "../../../engine/exchange/exchange.ts";
import {
  ANSWERED,
  type CreateHandler,
  type Handler,
  type HandlerEnvironment,
  type Verdict,
} from "../../../engine/handler.ts";
import type { KernelAnswers, KernelHits } from "../../../engine/kernel/kernel_hits.ts";
import { Memory } from "../../../engine/memory.ts";
import { Response } from "../../../engine/response/response.ts";
import type { CacheContent } from "../content.ts";
import { CacheHandler } from "../handler.ts";
import type { CacheOptions } from "../options.ts";
import type { Store } from "../store/store.ts";
import { PublishedRows } from "./published_rows.ts";

/** Hits of an entry in userland before it is published; at most 3 are counted. */
const MIN_USES = 2;
/** Bits that the program takes from the query. */
const ECHOED = FLAG.RD | FLAG.CD | FLAG.AD;
/** Bits of a response that clients see, as in `compose`. */
const KEPT = FLAG.QR | FLAG.AA | FLAG.TC | FLAG.AD | FLAG.RCODE;

/** Creates a `cache` handler whose hits the kernel may answer. */
export const createKernelCache: CreateHandler<CacheOptions> = (options, environment) =>
  new KernelCacheHandler(options, environment);

class KernelCacheHandler extends CacheHandler {
  readonly #hits: KernelHits;
  readonly #zones: readonly string[];
  readonly #response = new Response(new Memory(8));
  #chain: Chain | null = null;
  #observer: Handler | undefined;
  #success: PublishedRows | null = null;
  #denial: PublishedRows | null = null;

  constructor(options: CacheOptions, environment: HandlerEnvironment) {
    super(options, environment);
    this.#hits = environment.engine.kernelHits!;
    this.#zones = environment.zones;
  }

  override joined(chain: Chain, handlers: readonly Handler[]): void {
    super.joined(chain, handlers);
    const why = this.#whyNot(chain, handlers);
    if (why !== null) {
      this.content.publisher = null;
      this.#follow(this.content, null);
      const block = `hits of the server block ${this.#zones.join(" ")}`;
      const line = `plugin/cache: ${block} are not answered in the kernel: ${why}`;
      return this.engine.log("info", line);
    }
    this.#chain = chain;
    this.#observer = handlers.find(({ sent }) => sent !== undefined);
    const publisher = { follow: (content: CacheContent) => this.#follow(content, publisher) };
    this.content.publisher = publisher;
    this.#follow(this.content, publisher);
  }

  #whyNot(chain: Chain, handlers: readonly Handler[]): string | null {
    const above = handlers.slice(0, this.position).find(({ passive }) => passive !== true);
    if (above !== undefined) return `${above.name} may change answers, or log queries`;
    if (!this.isPlain) return "the cache serves only some zones, client subnets, or keeps TTLs";
    if (((chain.flagsSet | chain.flagsCleared) & ECHOED) !== 0) {
      return "header changes RD, CD or AD";
    }
    return null;
  }

  /** Also called for new stores, whose predecessors are dropped. */
  #follow(content: CacheContent, publisher: CacheContent["publisher"]): void {
    const watch = (store: Store, type: "success" | "denial") => {
      const rows = publisher === null ? null : new PublishedRows(store, this.#hits, {
        answered: (row, answers) => this.#answered(store, row, answers, type),
      });
      store.watch = rows;
      return rows;
    };
    if (this.#success !== null) this.#hits.clear();
    this.#success = watch(content.success, "success");
    this.#denial = watch(content.denial, "denial");
  }

  override query(exchange: Exchange): Verdict {
    const success = this.#success;
    if (success === null || !this.#hits.isOpen) return super.query(exchange);
    const now = this.content.now(this.engine.nowMs);
    // Prefetching depends on them.
    this.#read(success, exchange, now);
    this.#read(this.#denial!, exchange, now);
    const verdict = super.query(exchange);
    if (verdict === ANSWERED && isPublishable(exchange)) this.#publish(exchange, now);
    return verdict;
  }

  override ask(request: unknown): unknown {
    const reply = super.ask(request);
    // A positive answer from the file goes before a denial.
    const isLoad = (request as { type: string }).type === "load";
    if (isLoad && this.content.prefersPositive) this.#hits.clear();
    return reply;
  }

  #read(published: PublishedRows, exchange: Exchange, now: number): void {
    const row = published.store.find(exchange, now);
    if (row >= 0) published.examined(row);
  }

  #publish(exchange: Exchange, now: number): void {
    const { success, denial } = this.content;
    for (let i = 0; i < 2; i++) {
      const store = i === 0 ? success : denial;
      const row = store.find(exchange, now);
      if (row < 0 || store.remaining(row, now) <= 0) continue;
      const published = i === 0 ? this.#success! : this.#denial!;
      const endpoint = this.#hits.endpointOf(exchange.listener);
      if (endpoint < 0 || store.usesOf(row) < MIN_USES) return;
      if (published.has(row, exchange.listener)) return;
      if (this.#describe(exchange, store, row, endpoint, now)) published.add(row, exchange);
      return;
    }
  }

  /** False if the program could not answer as we do. */
  #describe(
    exchange: Exchange,
    store: Store,
    row: number,
    endpoint: number,
    now: number,
  ): boolean {
    const chain = this.#chain!;
    const { answer } = this.#hits;
    const response = this.#response;
    store.read(row, response);
    if (response.extendedError >= 0) return false;
    // The order of records is drawn for each answer.
    if (chain.recordOrder !== null && response.answerCount > 1) return false;
    const ttlSeconds = store.ttlOf(row);
    const storedMs = this.content.milliseconds(now - store.tenthsOld(row, now));
    const kept = response.flags & KEPT;
    const flags = (kept | (chain.recursive ? FLAG.RA : 0) | chain.flagsSet) & ~chain.flagsCleared;
    answer.endpoint = endpoint;
    answer.qtype = exchange.qtype;
    answer.key = (exchange.dnssecOk ? 1 : 0) | (exchange.checkingDisabled ? 2 : 0);
    answer.nameLength = exchange.qnameLength;
    answer.memory = response.memory;
    answer.offset = response.offset;
    answer.length = response.length;
    answer.ttlsAt = response.ttlsAt;
    answer.ttlCount = response.ttlCount;
    answer.flags = flags;
    answer.limit = exchange.maxUdpSize;
    answer.payload = exchange.payloadSize;
    answer.expiresMs = storedMs + 1000 * ttlSeconds;
    answer.refreshMs = answer.expiresMs - 1000 * this.refreshSeconds(ttlSeconds);
    return response.length > HEADER_SIZE + exchange.qnameLength + 4;
  }

  #answered(
    store: Store,
    row: number,
    answers: KernelAnswers,
    type: "success" | "denial",
  ): void {
    const { values, nowMs } = this.engine;
    const chain = this.#chain!;
    const counters = this.metrics.of(answers.listener);
    values[counters.requests]! += answers.count;
    values[type === "success" ? counters.hitsSuccess : counters.hitsDenial]! += answers.count;
    values[chain.answerCounters[this.position + 1]!]! += answers.count;
    this.#observer?.sentByKernel?.(answers, this.position);
    if (row < 0) return;
    const now = this.content.now(nowMs);
    store.countMany(row, answers.count, { now, gap: this.prefetchGap });
  }
}

function isPublishable({ origin, qclass, stale, extendedError }: Exchange): boolean {
  return origin.kind === "slot" && qclass === CLASS.IN && !stale && extendedError < 0;
}
