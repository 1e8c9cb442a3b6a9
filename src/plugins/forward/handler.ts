import { EDE, RCODE } from "../../dns/constants.ts";
import { type Exchange, TCP } from "../../engine/exchange/exchange.ts";
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
import { InFlight, PendingQuestion } from "../../engine/exchange/in_flight.ts";
import { hashSubnet } from "../../engine/question/read.ts";
import { NO_SCOPE, Response } from "../../engine/response/response.ts";
import { ResponseRewriter } from "../../engine/response/rewriter.ts";
import { ZoneTable } from "../../engine/question/zones.ts";
import { UpstreamGroup } from "../../upstream/group.ts";
import type { ServerState } from "../../upstream/options.ts";
import type { RaceFailure, RaceHandler } from "../../upstream/race/types.ts";
import { Race } from "../../upstream/race/race.ts";
import { isNodata, type Reply } from "../../upstream/message/reply.ts";
import type { UpstreamServer } from "../../upstream/server/server.ts";
import type { ForwardOptions, UpstreamsUpdate } from "./options.ts";

/** Lookups kept for the next questions. */
const MAX_SPARE = 1024;

/** A question under way, and who waits for it. */
class Lookup extends PendingQuestion implements RaceHandler {
  readonly race: Race;
  readonly #forward: ForwardHandler;

  constructor(forward: ForwardHandler, group: UpstreamGroup) {
    super();
    this.#forward = forward;
    this.race = new Race(group, this);
  }

  asksFor(exchange: Exchange): boolean {
    return this.race.inquiry.equals(exchange, this.#forward.options.ecsPass);
  }

  answered(reply: Reply): void {
    this.#forward.answered(this, reply);
  }

  failed(failure: RaceFailure): void {
    this.#forward.failed(this, failure);
  }
}

/** Makes the handler of one `forward` directive. */
export const createForward: CreateHandler<ForwardOptions> = (options, environment) =>
  new ForwardHandler(options, environment);

/** Forwards queries, each question once at a time however many ask it. */
export class ForwardHandler implements Handler {
  readonly name = "forward";
  readonly recursive = true;
  readonly #engine: EngineServices;
  readonly #group: UpstreamGroup;
  readonly #response = new Response(new Memory(8));
  readonly #rewriter = new ResponseRewriter();
  /** Null if every name of the block is forwarded. */
  readonly #from: ZoneTable<true> | null;
  readonly #except: ZoneTable<true> | null;
  readonly #lookups: InFlight<Lookup>;
  readonly #spare: Lookup[] = [];
  options: ForwardOptions;
  #stopping = false;

  readonly #coalesced: number;
  readonly #shed: number;
  readonly #rejects: number;
  readonly #queries: number;
  readonly #loopRefused: number;

  constructor(options: ForwardOptions, { engine }: HandlerEnvironment) {
    this.options = options;
    this.#engine = engine;
    const labels = { from: options.from };
    this.#lookups = new InFlight(engine, "forward");
    this.#group = new UpstreamGroup(options.upstreams, options, { engine, labels });
    this.#from = options.from === "." ? null : new ZoneTable([[options.from, true]]);
    this.#except = options.except.length === 0
      ? null
      : new ZoneTable(options.except.map((zone) => [zone, true]));
    this.#coalesced = engine.counter("nodens_forward_coalesced_total", labels);
    this.#shed = engine.counter("nodens_forward_shed_total", labels);
    this.#queries = engine.counter("nodens_forward_lookups_total", labels);
    this.#loopRefused = engine.counter("nodens_forward_loop_refused_total", labels);
    this.#rejects = engine.counter("coredns_forward_max_concurrent_rejects_total");
  }

  /** The servers that it asks. */
  get servers(): readonly UpstreamServer[] {
    return this.#group.servers;
  }

  /** Whether it is there for the exchange's name. */
  takes(exchange: Exchange): boolean {
    return (this.#from === null || this.#from.match(exchange) !== null) &&
      (this.#except === null || this.#except.match(exchange) === null);
  }

  query(exchange: Exchange): Verdict {
    if (!this.takes(exchange)) return NEXT;
    const only = exchange.only as UpstreamServer | null;
    if (only !== null && !this.servers.includes(only)) return NEXT;
    const { maxConcurrent, ecsPass, preferUdp } = this.options;
    const hash = ecsPass && exchange.ecsLength > 0
      ? hashSubnet(exchange, this.#engine.hashKey)
      : exchange.hash;
    const known = this.#lookups.find(exchange, hash);
    if (known !== null) return this.#join(known, exchange);
    if (this.servers.length === 0) return this.#notReady(exchange, "no upstream is known yet");
    if (only === null && !exchange.intoLoops && this.servers.every(({ looping }) => looping)) {
      this.#engine.values[this.#loopRefused]!++;
      // `loop` has said so once.
      return this.#notReady(exchange, "");
    }
    if (maxConcurrent > 0 && this.#lookups.size >= maxConcurrent) {
      this.#engine.values[this.#rejects]!++;
      exchange.error = `concurrent queries exceeded maximum ${maxConcurrent}`;
      // It says nothing of the name.
      exchange.uncacheable = true;
      exchange.response = this.#engine.failure(exchange, RCODE.REFUSED);
      return ANSWERED;
    }
    const lookup = this.#spare.pop() ?? new Lookup(this, this.#group);
    const parked = this.#lookups.begin(lookup, exchange, hash);
    if (parked === null) {
      this.#spare.push(lookup);
      return this.#refuse(exchange);
    }
    this.#engine.values[this.#queries]!++;
    lookup.race.inquiry.set(parked, ecsPass);
    // The client has waited since then, perhaps for another `forward` before this one.
    const streamed = parked.transport === TCP && !preferUdp;
    lookup.race.start(parked.receivedMs, streamed, { only, intoLoops: parked.intoLoops });
    return WAIT;
  }

  /** Takes over what the files and names among TO stand for now (`UpstreamsUpdate`); maybe nothing. */
  receive(data: unknown): void {
    const update = data as UpstreamsUpdate;
    if (this.#stopping) return;
    this.options = { ...this.options, ...update };
    this.#group.change(update.upstreams, this.options);
  }

  /** Says how its upstreams are, whatever the request. */
  ask(): ServerState[] {
    return this.#group.servers.map(({ state }) => state);
  }

  stop(): void {
    this.#stopping = true;
    // Queries in flight finish first; the sockets that they hold go with them.
    if (this.#lookups.size === 0) this.#group.retire();
  }

  /** Whether there is an upstream to ask: files and names among TO may not name one yet. */
  ready(): boolean {
    return this.servers.length > 0;
  }

  /** Hands the answer to everybody who waits for it. */
  answered(lookup: Lookup, reply: Reply): void {
    const { next, nextOnNodata, ecsPass } = this.options;
    const response = this.#response;
    // First, because the table of TTLs will lie where OPT does.
    const asksForSubnet = ecsPass && lookup.race.inquiry.subnetLength > 0;
    response.ecsScope = asksForSubnet ? reply.subnetScope : NO_SCOPE.NEEDED;
    reply.describe(response);
    this.#rewriter.compress(response, lookup.race.inquiry.questionLength - 4);
    const passOn = next.includes(response.rcode) ||
      (nextOnNodata && isNodata(response.kind, response.answerCount, response.rcode));
    let first = true;
    for (let exchange = this.#lookups.end(lookup); exchange !== null;) {
      const following = takeFollowing(exchange);
      if (passOn && this.#forwardFollows(exchange)) {
        exchange.response = null;
        this.#engine.proceed(exchange);
      } else {
        exchange.uncacheable = !first;
        first = false;
        exchange.response = response;
        this.#engine.resume(exchange);
      }
      exchange = following;
    }
    this.#reuse(lookup);
  }

  /** Tells everybody who waits that no upstream answered. */
  failed(lookup: Lookup, failure: RaceFailure): void {
    const { error, silent, rcode, extendedError, errorText } = failure;
    let first = true;
    for (let exchange = this.#lookups.end(lookup); exchange !== null;) {
      const following = takeFollowing(exchange);
      exchange.error = error;
      if (rcode < 0) {
        exchange.extendedError = silent ? EDE.NO_REACHABLE_AUTHORITY : EDE.NETWORK_ERROR;
      }
      exchange.uncacheable = !first;
      first = false;
      exchange.response = this.#engine.failure(exchange, rcode < 0 ? RCODE.SERVFAIL : rcode);
      exchange.response.extendedError = extendedError;
      if (errorText === null) exchange.response.errorText.length = 0;
      else exchange.response.errorText.copy(errorText.bytes, 0, errorText.length);
      this.#engine.resume(exchange);
      exchange = following;
    }
    this.#reuse(lookup);
  }

  #join(lookup: Lookup, exchange: Exchange): Verdict {
    if (!this.#lookups.join(lookup, exchange)) return this.#refuse(exchange);
    this.#engine.values[this.#coalesced]!++;
    return WAIT;
  }

  #refuse(exchange: Exchange): Verdict {
    this.#engine.values[this.#shed]!++;
    exchange.error = this.#lookups.refusal;
    exchange.uncacheable = true;
    exchange.extendedError = EDE.NETWORK_ERROR;
    exchange.response = this.#engine.failure(exchange, RCODE.SERVFAIL);
    return ANSWERED;
  }

  /** There is nobody to ask now; that says nothing of the name. */
  #notReady(exchange: Exchange, why: string): Verdict {
    exchange.error = why;
    exchange.uncacheable = true;
    exchange.extendedError = EDE.NOT_READY;
    exchange.response = this.#engine.failure(exchange, RCODE.SERVFAIL);
    return ANSWERED;
  }

  /** CoreDNS passes on to another `forward` only; with none behind, the answer stands. */
  #forwardFollows(exchange: Exchange): boolean {
    return exchange.chain.pluginAt(exchange.position + 1) === "forward";
  }

  /** Keeps a lookup that is over for a question to come. */
  #reuse(lookup: Lookup): void {
    if (this.#spare.length < MAX_SPARE) this.#spare.push(lookup);
    if (this.#stopping && this.#lookups.size === 0) this.#group.retire();
  }
}

/** Takes an exchange out of its chain of waiters; returns the next one. */
function takeFollowing(exchange: Exchange): Exchange | null {
  const following = exchange.nextWaiter;
  exchange.nextWaiter = null;
  return following;
}
