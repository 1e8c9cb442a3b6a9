import { Lazy } from "../../base/lazy.ts";
import { EDE, RCODE } from "../../dns/constants.ts";
import { type Chain, type Exchange, TCP } from "../../engine/exchange/exchange.ts";
import { forEachWaiter, InFlight, PendingQuestion } from "../../engine/in_flight.ts";
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
import type { Explanation } from "../../engine/explanation.ts";
import { Memory } from "../../engine/memory.ts";
import { hashSubnet } from "../../engine/question/read.ts";
import { ZoneTable } from "../../engine/question/zones.ts";
import { NO_SCOPE, Response } from "../../engine/response/response.ts";
import { ResponseRewriter } from "../../engine/response/rewriter.ts";
import { UpstreamGroup } from "../../upstream/group.ts";
import { isNodata, type Reply } from "../../upstream/message/reply.ts";
import type { ServerDetails } from "../../upstream/details.ts";
import type { ServerState } from "../../upstream/options.ts";
import { RANK } from "../../upstream/outcome.ts";
import { Race } from "../../upstream/race/race.ts";
import type { RaceFailure, RaceHandler, RaceServer } from "../../upstream/race/types.ts";
import type { UpstreamServer } from "../../upstream/server/server.ts";
import {
  DETAILS_SLICE,
  type DetailsRequest,
  type ForwardOptions,
  type STATES_REQUEST,
  type UpstreamsUpdate,
} from "./options.ts";
import { Sources } from "./sources.ts";

/** Loaded for the first explanation. */
export const EXPLAIN = new Lazy(() => import("./explain.ts"));

const MAX_SPARE = 1024;
const OUT = "every upstream is taken out of service (nodens upstreams auto ADDRESS)";

/** A question in flight. */
class Lookup extends PendingQuestion implements RaceHandler {
  readonly race: Race;
  readonly #forward: ForwardHandler;

  constructor(forward: ForwardHandler, group: UpstreamGroup) {
    super();
    this.#forward = forward;
    this.race = new Race(group, this);
  }

  get clientQueries(): number {
    let count = 0;
    for (let one = this.waiters; one !== null; one = one.nextWaiter) if (!one.internal) count++;
    return count;
  }

  asksFor(exchange: Exchange): boolean {
    return this.race.inquiry.equals(exchange, this.#forward.options.ecsPass);
  }

  answered(reply: Reply, server: RaceServer): void {
    this.#forward.answered(this, reply, server);
  }

  failed(failure: RaceFailure): void {
    this.#forward.failed(this, failure);
  }
}

/** Creates a `forward` handler. */
export const createForward: CreateHandler<ForwardOptions> = (options, environment) =>
  new ForwardHandler(options, environment);

/** Equal questions in flight are sent once. */
export class ForwardHandler implements Handler {
  readonly name = "forward";
  readonly source = "upstream";
  readonly recursive = true;
  options: ForwardOptions;
  readonly #engine: EngineServices;
  readonly #group: UpstreamGroup;
  readonly #response = new Response(new Memory(8));
  readonly #rewriter = new ResponseRewriter();
  /** Null for all names. */
  readonly #from: ZoneTable<true> | null;
  readonly #except: ZoneTable<true> | null;
  readonly #lookups: InFlight<Lookup>;
  readonly #spare: Lookup[] = [];
  readonly #position: number;
  readonly #sources: Sources;
  #stopping = false;

  readonly #coalesced: number;
  readonly #shed: number;
  readonly #rejects: number;
  readonly #queries: number;
  readonly #loopRefused: number;

  constructor(options: ForwardOptions, { engine, zones, position, previous }: HandlerEnvironment) {
    const { from, except } = options;
    const labels = { from };
    this.options = options;
    this.#engine = engine;
    this.#lookups = new InFlight(engine, "forward");
    this.#group = new UpstreamGroup(options.upstreams, options, { engine, labels, zones });
    this.#position = position;
    this.#sources = new Sources(
      options,
      previous instanceof ForwardHandler ? previous.#sources : null,
    );
    this.#from = from === "." ? null : new ZoneTable([[from, true]]);
    this.#except = except.length === 0 ? null : new ZoneTable(except.map((zone) => [zone, true]));
    this.#coalesced = engine.counter("nodens_forward_coalesced_total", labels);
    this.#shed = engine.counter("nodens_forward_shed_total", labels);
    this.#queries = engine.counter("nodens_forward_lookups_total", labels);
    this.#loopRefused = engine.counter("nodens_forward_loop_refused_total", labels);
    this.#rejects = engine.counter("coredns_forward_max_concurrent_rejects_total");
  }

  joined(_chain: Chain, handlers: readonly Handler[]): void {
    this.#sources.join(handlers.slice(0, this.#position), this.options);
  }

  get servers(): readonly UpstreamServer[] {
    return this.#group.servers;
  }

  takes(exchange: Exchange): boolean {
    return (this.#from === null || this.#from.match(exchange) !== null) &&
      (this.#except === null || this.#except.match(exchange) === null);
  }

  query(exchange: Exchange): Verdict {
    if (!this.takes(exchange)) return NEXT;
    const { values } = this.#engine;
    const only = exchange.only as UpstreamServer | null;
    if (only !== null && !this.servers.includes(only)) return NEXT;
    const { maxConcurrent, ecsPass, preferUdp } = this.options;
    const hash = this.#hashOf(exchange);
    const known = this.#lookups.find(exchange, hash);
    if (known !== null) {
      if (!this.#lookups.join(known, exchange)) return this.#shedQuery(exchange);
      values[this.#coalesced]!++;
      return WAIT;
    }
    if (this.servers.length === 0) {
      return this.#refuse(exchange, "no upstream is known yet", EDE.NOT_READY);
    }
    if (only === null && !exchange.intoLoops && this.servers.every(isUnused)) {
      const byHand = this.servers.some(({ forced }) => forced === "down");
      if (!byHand) values[this.#loopRefused]!++;
      // No text: `loop` has already reported it.
      return this.#refuse(exchange, byHand ? OUT : "", EDE.NOT_READY);
    }
    if (maxConcurrent > 0 && this.#lookups.size >= maxConcurrent) {
      values[this.#rejects]!++;
      exchange.error = `concurrent queries exceeded maximum ${maxConcurrent}`;
      exchange.uncacheable = true;
      exchange.response = this.#engine.failure(exchange, RCODE.REFUSED);
      return ANSWERED;
    }
    const lookup = this.#spare.pop() ?? new Lookup(this, this.#group);
    const parked = this.#lookups.begin(lookup, exchange, hash);
    if (parked === null) {
      this.#spare.push(lookup);
      return this.#shedQuery(exchange);
    }
    values[this.#queries]!++;
    lookup.race.inquiry.set(parked, ecsPass);
    const streamed = parked.transport === TCP && !preferUdp;
    // From arrival: another `forward` may have waited.
    lookup.race.start(parked.receivedMs, streamed, { only, intoLoops: parked.intoLoops });
    return WAIT;
  }

  explain(exchange: Exchange): Explanation {
    const { options, servers } = this;
    const { explainForward, explainNotTaken } = EXPLAIN.value;
    if (!this.takes(exchange)) {
      return explainNotTaken(
        options,
        this.#except !== null && this.#except.match(exchange) !== null,
      );
    }
    const lookup = this.#lookups.find(exchange, this.#hashOf(exchange));
    const inFlight = lookup === null ? null : {
      ageMs: this.#engine.nowMs - lookup.waiters!.receivedMs,
      waiters: lookup.waiterCount,
    };
    const first = this.#group.order.mayBeFirst();
    return explainForward(exchange, {
      options,
      servers,
      first,
      inFlight,
      asking: this.#lookups.size,
      nowMs: this.#engine.nowMs,
    });
  }

  receive(data: unknown): void {
    const { forced, ...update } = data as UpstreamsUpdate;
    if (this.#stopping) return;
    this.options = { ...this.options, ...update };
    this.#group.change(update.upstreams, this.options, forced);
    this.#sources.change(update.upstreams);
  }

  ask(request: unknown): ServerState[] | ServerDetails[] {
    const asked = request as DetailsRequest | typeof STATES_REQUEST;
    if (asked.type === "upstreams") return this.servers.map(({ state }) => state);
    const { from } = asked;
    return this.servers.slice(from, from + DETAILS_SLICE).map(({ details }) => details);
  }

  stop(): void {
    this.#stopping = true;
    // Else the last query in flight does.
    if (this.#lookups.size === 0) this.#group.retire();
  }

  /** Files and names may name no upstream yet. */
  ready(): boolean {
    return this.servers.length > 0;
  }

  answered(lookup: Lookup, reply: Reply, { label }: RaceServer): void {
    const { next, nextOnNodata, ecsPass } = this.options;
    const { inquiry } = lookup.race;
    const response = this.#response;
    // Before the TTL table overwrites OPT.
    const asksForSubnet = ecsPass && inquiry.subnetLength > 0;
    response.ecsScope = asksForSubnet ? reply.subnetScope : NO_SCOPE.NEEDED;
    reply.describe(response);
    this.#rewriter.compress(response, inquiry.questionLength - 4);
    const passOn = next.includes(response.rcode) ||
      (nextOnNodata && isNodata(response.kind, response.answerCount, response.rcode));
    let cacheable = true;
    this.#end(lookup, (exchange) => {
      // As in CoreDNS, only another `forward` gets the query.
      if (passOn && exchange.chain.pluginAt(exchange.position + 1) === "forward") {
        exchange.response = null;
        this.#engine.proceed(exchange);
        return;
      }
      exchange.upstream = label;
      exchange.uncacheable = !cacheable;
      cacheable = false;
      exchange.response = response;
      this.#engine.resume(exchange);
    });
  }

  failed(lookup: Lookup, failure: RaceFailure): void {
    const { error, silent, rcode, extendedError, errorText } = failure;
    let cacheable = true;
    let queries = lookup.clientQueries;
    this.#end(lookup, (exchange) => {
      exchange.error = error;
      exchange.errorQueries = queries;
      if (!exchange.internal) queries = 0;
      if (rcode < 0) {
        exchange.extendedError = silent ? EDE.NO_REACHABLE_AUTHORITY : EDE.NETWORK_ERROR;
      }
      exchange.uncacheable = !cacheable;
      cacheable = false;
      const response = this.#engine.failure(exchange, rcode < 0 ? RCODE.SERVFAIL : rcode);
      response.extendedError = extendedError;
      if (errorText === null) response.errorText.length = 0;
      else response.errorText.copy(errorText.bytes, 0, errorText.length);
      exchange.response = response;
      this.#engine.resume(exchange);
    });
  }

  #hashOf(exchange: Exchange): number {
    const subnet = this.options.ecsPass && exchange.ecsLength > 0;
    return subnet ? hashSubnet(exchange, this.#engine.hashKey) : exchange.hash;
  }

  #end(lookup: Lookup, use: (exchange: Exchange) => void): void {
    const { asks, hedged } = lookup.race;
    forEachWaiter(this.#lookups.end(lookup), (exchange) => {
      // Another `forward` may have asked.
      exchange.asks += asks;
      exchange.hedged ||= hedged;
      exchange.upstream = "";
      use(exchange);
    });
    if (this.#spare.length < MAX_SPARE) this.#spare.push(lookup);
    if (this.#stopping && this.#lookups.size === 0) this.#group.retire();
  }

  #shedQuery(exchange: Exchange): Verdict {
    this.#engine.values[this.#shed]!++;
    return this.#refuse(exchange, this.#lookups.refusal, EDE.NETWORK_ERROR);
  }

  /** Says nothing about the name: not cached. */
  #refuse(exchange: Exchange, why: string, extendedError: number): Verdict {
    exchange.error = why;
    exchange.uncacheable = true;
    exchange.extendedError = extendedError;
    exchange.response = this.#engine.failure(exchange, RCODE.SERVFAIL);
    return ANSWERED;
  }
}

/** Looping, or out of service. */
function isUnused({ rank }: UpstreamServer): boolean {
  return rank > RANK.DOWN;
}
