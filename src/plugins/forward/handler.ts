import { EDE, RCODE } from "../../dns/constants.ts";
import { ResponseScanner } from "../../dns/response_scan.ts";
import type { Exchange } from "../../engine/exchange.ts";
import {
  ANSWERED,
  type CreateHandler,
  type EngineServices,
  type Handler,
  type HandlerEnvironment,
  NEXT,
  type Verdict,
  WAIT,
} from "../../engine/handler.ts";
import { Memory } from "../../engine/memory.ts";
import { InFlight } from "../../engine/question/in_flight.ts";
import { hashSubnet } from "../../engine/question/read.ts";
import { Response } from "../../engine/response.ts";
import { ZoneTable } from "../../engine/zones.ts";
import type { Io } from "../../io/contract.ts";
import { Attempt } from "./attempt.ts";
import { Budget } from "./budget.ts";
import { Lookup } from "./lookup.ts";
import type { ForwardOptions, UpstreamState, UpstreamsUpdate } from "./options.ts";
import { UpstreamOrder } from "./policy.ts";
import { isNodata } from "./reply.ts";
import { ScanTime } from "./scan_time.ts";
import { SocketQueue } from "./socket_queue.ts";
import { labelOf, Upstream } from "./upstream.ts";

/** Time for one client query over all attempts (CoreDNS's `defaultTimeout`). */
const TOTAL_MS = 5000;
/** Finished lookups and attempts kept for use again. */
const MAX_SPARE = 1024;
/** Hedges are at most one in twenty queries, a few at a time. */
const HEDGES = { share: 0.05, perSecond: 0, most: 10 } as const;
/** Queries sent again because they may be lost: one in five, and ten a second whatever the load. */
const RESENDS = { share: 0.2, perSecond: 10, most: 100 } as const;

/** Makes the handler of one `forward` directive. */
export const createForward: CreateHandler<ForwardOptions> = (options, environment) =>
  new ForwardHandler(options, environment);

/** Forwards queries, each question once at a time however many ask it. */
export class ForwardHandler implements Handler {
  readonly name = "forward";
  readonly engine: EngineServices;
  readonly io: Io;
  readonly hedges = new Budget(HEDGES);
  readonly resends = new Budget(RESENDS);
  /** Attempts that wait for a socket. */
  readonly sockets: SocketQueue;
  readonly scanner = new ResponseScanner();
  readonly scanTime: ScanTime;
  readonly reply = new Response(new Memory(8));
  options: ForwardOptions;
  upstreams: readonly Upstream[];
  order: UpstreamOrder;
  /** Why the last attempt failed, for the error log. */
  lastError = "";

  /** Null where every name of the block is forwarded. */
  readonly #from: ZoneTable<true> | null;
  readonly #except: ZoneTable<true> | null;
  /** Lookups under way. */
  readonly #lookups: InFlight<Lookup>;
  readonly #spare: Lookup[] = [];
  readonly #spareAttempts: Attempt[] = [];

  readonly #coalesced: number;
  readonly #shed: number;
  readonly #mismatches: number;
  readonly #malformed: number;
  readonly #rejects: number;
  readonly #allDown: number;
  readonly #queries: number;
  readonly #hedged: number;
  readonly #resent: number;
  readonly #forgeries: number;

  constructor(options: ForwardOptions, environment: HandlerEnvironment) {
    const { engine } = environment;
    this.options = options;
    this.engine = engine;
    this.io = engine.io;
    this.#lookups = new InFlight(engine, "forward");
    this.upstreams = options.upstreams.map((upstream) => new Upstream(upstream, options, engine));
    this.#from = options.from === "." ? null : new ZoneTable([[options.from, true]]);
    this.#except = options.except.length === 0
      ? null
      : new ZoneTable(options.except.map((zone) => [zone, true]));
    this.order = new UpstreamOrder(options.policy, this.upstreams, engine.random);
    const labels = { from: options.from };
    this.scanTime = new ScanTime(engine, labels);
    this.sockets = new SocketQueue(engine, labels);
    this.#coalesced = engine.counter("nodens_forward_coalesced_total", labels);
    this.#shed = engine.counter("nodens_forward_shed_total", labels);
    this.#mismatches = engine.counter("nodens_forward_mismatched_replies_total", labels);
    this.#malformed = engine.counter("nodens_forward_malformed_replies_total", labels);
    this.#queries = engine.counter("nodens_forward_lookups_total", labels);
    this.#hedged = engine.counter("nodens_forward_hedges_total", labels);
    this.#resent = engine.counter("nodens_forward_resends_total", labels);
    this.#forgeries = engine.counter("nodens_forward_forgeries_suspected_total", labels);
    this.#rejects = engine.counter("coredns_forward_max_concurrent_rejects_total");
    this.#allDown = engine.counter("coredns_forward_healthcheck_broken_total");
  }

  /** Longest time for one client query over all attempts, in milliseconds. */
  get totalMs(): number {
    return Math.max(TOTAL_MS, this.options.readTimeoutMs);
  }

  query(exchange: Exchange): Verdict {
    if (this.#from !== null && this.#from.match(exchange) === null) return NEXT;
    if (this.#except !== null && this.#except.match(exchange) !== null) return NEXT;
    const hash = this.options.ecsPass && exchange.ecsLength > 0
      ? hashSubnet(exchange, this.engine.hashKey)
      : exchange.hash;
    const known = this.#lookups.find(exchange, hash);
    if (known !== null) return this.#join(known, exchange);
    if (this.upstreams.length === 0) return this.#notReady(exchange);
    const { maxConcurrent } = this.options;
    if (maxConcurrent > 0 && this.#lookups.size >= maxConcurrent) {
      this.engine.values[this.#rejects]!++;
      exchange.error = `concurrent queries exceeded maximum ${maxConcurrent}`;
      exchange.response = this.engine.failure(exchange, RCODE.REFUSED);
      return ANSWERED;
    }
    const lookup = this.#spare.pop() ?? new Lookup(this);
    const parked = this.#lookups.begin(lookup, exchange, hash);
    if (parked === null) {
      this.#giveBack(lookup);
      return this.#refuse(exchange);
    }
    this.engine.values[this.#queries]!++;
    lookup.start(parked);
    return WAIT;
  }

  /** Takes over what resolv.conf or the names among TO stand for now (`UpstreamsUpdate`). */
  receive(data: unknown): void {
    const { upstreams, ...others } = data as UpstreamsUpdate;
    if (upstreams.length === 0 || this.#stopping) return;
    this.options = { ...this.options, ...others, upstreams };
    const known = new Map(this.upstreams.map((upstream) => [upstream.label, upstream]));
    const once = new Map(upstreams.map((upstream) => [labelOf(upstream), upstream]));
    this.upstreams = [...once].map(([label, upstream]) => {
      const kept = known.get(label);
      known.delete(label);
      return kept ?? new Upstream(upstream, this.options, this.engine);
    });
    this.order = new UpstreamOrder(this.options.policy, this.upstreams, this.engine.random);
    // What they have been asked already, they may still answer.
    for (const upstream of known.values()) upstream.retire();
  }

  /** Says how its upstreams are, whatever the request. */
  ask(): UpstreamState[] {
    return this.upstreams.map((upstream) => upstream.state);
  }

  stop(): void {
    this.#stopping = true;
    // Queries in flight finish first; the sockets that they hold go with them.
    if (this.#lookups.size === 0) this.#retire();
  }
  #stopping = false;

  /** Whether there is an upstream to ask: names among TO have to be resolved first. */
  ready(): boolean {
    return this.upstreams.length > 0;
  }

  /** An attempt to use; `giveAttempt` takes it back. */
  takeAttempt(): Attempt {
    return this.#spareAttempts.pop() ?? new Attempt(this);
  }

  /** Ends an attempt. */
  giveAttempt(attempt: Attempt): void {
    if (attempt.lookup === null) return;
    attempt.reset();
    if (this.#spareAttempts.length < MAX_SPARE) this.#spareAttempts.push(attempt);
  }

  /** Hands the upstream's response to everybody who waits for it. */
  answered(lookup: Lookup, response: Response): void {
    let exchange = this.#lookups.end(lookup);
    const { next, nextOnNodata } = this.options;
    const passOn = next.includes(response.rcode) ||
      (nextOnNodata && isNodata(response.kind, response.answerCount, response.rcode));
    let first = true;
    while (exchange !== null) {
      const following: Exchange | null = exchange.nextWaiter;
      exchange.nextWaiter = null;
      if (passOn && this.#forwardFollows(exchange)) {
        exchange.response = null;
        this.engine.proceed(exchange);
      } else {
        exchange.uncacheable = !first;
        exchange.response = response;
        this.engine.resume(exchange);
        first = false;
      }
      exchange = following;
    }
    this.#giveBack(lookup);
  }

  /**
   * Tells everybody who waits that no upstream answered; `silent` where one kept them waiting. The
   * response code is that of an upstream's own failure, or -1.
   */
  failed(
    lookup: Lookup,
    { error, silent, rcode }: { error: string; silent: boolean; rcode: number },
  ): void {
    let exchange = this.#lookups.end(lookup);
    let first = true;
    while (exchange !== null) {
      const following: Exchange | null = exchange.nextWaiter;
      exchange.nextWaiter = null;
      exchange.error = error;
      if (rcode < 0) {
        exchange.extendedError = silent ? EDE.NO_REACHABLE_AUTHORITY : EDE.NETWORK_ERROR;
      }
      exchange.uncacheable = !first;
      exchange.response = this.engine.failure(exchange, rcode < 0 ? RCODE.SERVFAIL : rcode);
      this.engine.resume(exchange);
      first = false;
      exchange = following;
    }
    this.#giveBack(lookup);
  }

  /** A datagram or message that answers nothing asked. */
  countMismatch(): void {
    this.engine.values[this.#mismatches]!++;
  }

  /** A reply to the question that cannot be used. */
  countMalformed(): void {
    this.engine.values[this.#malformed]!++;
  }

  /** Every upstream counts as down. */
  countAllDown(): void {
    this.engine.values[this.#allDown]!++;
  }

  /** So many wrong replies came that somebody seems to guess. */
  countForgery(): void {
    this.engine.values[this.#forgeries]!++;
  }

  /** A second upstream was asked because the first takes longer than usual. */
  countHedge(): void {
    this.engine.values[this.#hedged]!++;
  }

  /** A query was sent again because it may be lost. */
  countResend(): void {
    this.engine.values[this.#resent]!++;
  }

  #join(lookup: Lookup, exchange: Exchange): Verdict {
    if (!this.#lookups.join(lookup, exchange)) return this.#refuse(exchange);
    this.engine.values[this.#coalesced]!++;
    return WAIT;
  }

  #refuse(exchange: Exchange): Verdict {
    this.engine.values[this.#shed]!++;
    exchange.error = this.#lookups.refusal;
    exchange.uncacheable = true;
    exchange.extendedError = EDE.NETWORK_ERROR;
    exchange.response = this.engine.failure(exchange, RCODE.SERVFAIL);
    return ANSWERED;
  }

  /** The names among TO have not been resolved yet. */
  #notReady(exchange: Exchange): Verdict {
    exchange.error = "no upstream is known yet";
    exchange.uncacheable = true;
    exchange.extendedError = EDE.NOT_READY;
    exchange.response = this.engine.failure(exchange, RCODE.SERVFAIL);
    return ANSWERED;
  }

  /** CoreDNS passes on to another `forward` only; with none behind, the answer stands. */
  #forwardFollows(exchange: Exchange): boolean {
    return exchange.chain.handlers[exchange.position + 1]?.name === "forward";
  }

  #giveBack(lookup: Lookup): void {
    if (this.#spare.length < MAX_SPARE) this.#spare.push(lookup);
    if (this.#stopping && this.#lookups.size === 0) this.#retire();
  }

  #retire(): void {
    for (const upstream of this.upstreams) upstream.retire();
  }
}
