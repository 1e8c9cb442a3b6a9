import { EDE, RCODE } from "../../dns/constants.ts";
import { type Exchange, TCP } from "../../engine/exchange.ts";
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
import { Response } from "../../engine/response.ts";
import { ZoneTable } from "../../engine/zones.ts";
import { type GroupHandler, UpstreamGroup } from "../../upstream/group.ts";
import type { ServerState } from "../../upstream/options.ts";
import type { Race, RaceFailure } from "../../upstream/race.ts";
import { isNodata, type Reply } from "../../upstream/reply.ts";
import type { ForwardOptions, UpstreamsUpdate } from "./options.ts";

/** Exchanges that one upstream query may answer. */
const MAX_WAITERS = 4096;

/** A question under way, and who waits for it. */
interface Lookup {
  readonly key: number;
  readonly race: Race;
  /** The exchange that asked first, and those that joined it (`nextWaiter`). */
  waiters: Exchange;
  waiterCount: number;
  /** Another one of the same key. */
  next: Lookup | null;
}

/** Makes the handler of one `forward` directive. */
export const createForward: CreateHandler<ForwardOptions> = (options, environment) =>
  new ForwardHandler(options, environment);

/** Forwards queries, each question once at a time however many ask it. */
export class ForwardHandler implements Handler, GroupHandler {
  readonly name = "forward";
  readonly #engine: EngineServices;
  readonly #group: UpstreamGroup;
  readonly #response = new Response(new Memory(8));
  /** Null where every name of the block is forwarded. */
  readonly #from: ZoneTable<true> | null;
  readonly #except: ZoneTable<true> | null;
  readonly #lookups = new Map<number, Lookup>();
  readonly #byRace = new Map<Race, Lookup>();
  #options: ForwardOptions;
  #stopping = false;

  readonly #coalesced: number;
  readonly #shed: number;
  readonly #rejects: number;
  readonly #queries: number;

  constructor(options: ForwardOptions, { engine }: HandlerEnvironment) {
    this.#options = options;
    this.#engine = engine;
    const labels = { from: options.from };
    this.#group = new UpstreamGroup(options.upstreams, options, { engine, labels, handler: this });
    this.#from = options.from === "." ? null : new ZoneTable([[options.from, true]]);
    this.#except = options.except.length === 0
      ? null
      : new ZoneTable(options.except.map((zone) => [zone, true]));
    this.#coalesced = engine.counter("nodens_forward_coalesced_total", labels);
    this.#shed = engine.counter("nodens_forward_shed_total", labels);
    this.#queries = engine.counter("nodens_forward_lookups_total", labels);
    this.#rejects = engine.counter("coredns_forward_max_concurrent_rejects_total");
  }

  query(exchange: Exchange): Verdict {
    if (this.#from !== null && this.#from.match(exchange) === null) return NEXT;
    if (this.#except !== null && this.#except.match(exchange) !== null) return NEXT;
    const { maxConcurrent, ecsPass, forceTcp, preferUdp } = this.#options;
    const key = exchange.hash & 0x3fffffff;
    for (let lookup = this.#lookups.get(key) ?? null; lookup !== null; lookup = lookup.next) {
      if (lookup.race.inquiry.equals(exchange, ecsPass)) return this.#join(lookup, exchange);
    }
    if (this.#group.servers.length === 0) return this.#notReady(exchange);
    if (maxConcurrent > 0 && this.#byRace.size >= maxConcurrent) {
      this.#engine.values[this.#rejects]!++;
      exchange.error = `concurrent queries exceeded maximum ${maxConcurrent}`;
      exchange.response = this.#engine.failure(exchange, RCODE.REFUSED);
      return ANSWERED;
    }
    const parked = this.#engine.park(exchange);
    if (parked === null) return this.#refuse(exchange);
    const race = this.#group.race();
    const next = this.#lookups.get(key) ?? null;
    const lookup: Lookup = { key, race, waiters: parked, waiterCount: 1, next };
    this.#lookups.set(key, lookup);
    this.#byRace.set(race, lookup);
    this.#engine.values[this.#queries]!++;
    race.inquiry.set(parked, ecsPass);
    // The client has waited since then, perhaps for another `forward` before this one.
    race.start(parked.receivedMs, forceTcp || (parked.transport === TCP && !preferUdp));
    return WAIT;
  }

  /** Takes over what resolv.conf or the names among TO stand for now (`UpstreamsUpdate`). */
  receive(data: unknown): void {
    const update = data as UpstreamsUpdate;
    if (update.upstreams.length === 0 || this.#stopping) return;
    this.#options = { ...this.#options, ...update };
    this.#group.change(update.upstreams, this.#options);
  }

  /** Says how its upstreams are, whatever the request. */
  ask(): ServerState[] {
    return this.#group.states;
  }

  stop(): void {
    this.#stopping = true;
    // Queries in flight finish first; the sockets that they hold go with them.
    if (this.#byRace.size === 0) this.#group.retire();
  }

  /** Whether there is an upstream to ask: names among TO have to be resolved first. */
  ready(): boolean {
    return this.#group.servers.length > 0;
  }

  /** Hands the answer to everybody who waits for it. */
  answered(race: Race, reply: Reply): void {
    const { next, nextOnNodata, ecsPass } = this.#options;
    const response = this.#response;
    // First, because the table of TTLs will lie where OPT does.
    response.ecsScope = ecsPass && race.inquiry.subnetLength > 0 ? reply.subnetScope : -1;
    reply.describe(response);
    const passOn = next.includes(response.rcode) ||
      (nextOnNodata && isNodata(response.kind, response.answerCount, response.rcode));
    let first = true;
    this.#release(race, (exchange) => {
      if (passOn && this.#forwardFollows(exchange)) {
        exchange.response = null;
        this.#engine.proceed(exchange);
        return;
      }
      exchange.uncacheable = !first;
      first = false;
      exchange.response = response;
      this.#engine.resume(exchange);
    });
  }

  /** Tells everybody who waits that no upstream answered. */
  failed(race: Race, { error, silent, rcode }: RaceFailure): void {
    let first = true;
    this.#release(race, (exchange) => {
      exchange.error = error;
      if (rcode < 0) {
        exchange.extendedError = silent ? EDE.NO_REACHABLE_AUTHORITY : EDE.NETWORK_ERROR;
      }
      exchange.uncacheable = !first;
      first = false;
      exchange.response = this.#engine.failure(exchange, rcode < 0 ? RCODE.SERVFAIL : rcode);
      this.#engine.resume(exchange);
    });
  }

  #join(lookup: Lookup, exchange: Exchange): Verdict {
    if (lookup.waiterCount >= MAX_WAITERS) return this.#refuse(exchange);
    const parked = this.#engine.park(exchange);
    if (parked === null) return this.#refuse(exchange);
    parked.nextWaiter = lookup.waiters.nextWaiter;
    lookup.waiters.nextWaiter = parked;
    lookup.waiterCount++;
    this.#engine.values[this.#coalesced]!++;
    return WAIT;
  }

  #refuse(exchange: Exchange): Verdict {
    this.#engine.values[this.#shed]!++;
    exchange.error = "too many queries are waiting";
    exchange.uncacheable = true;
    exchange.extendedError = EDE.NETWORK_ERROR;
    exchange.response = this.#engine.failure(exchange, RCODE.SERVFAIL);
    return ANSWERED;
  }

  /** The names among TO have not been resolved yet. */
  #notReady(exchange: Exchange): Verdict {
    exchange.error = "no upstream is known yet";
    exchange.uncacheable = true;
    exchange.extendedError = EDE.NOT_READY;
    exchange.response = this.#engine.failure(exchange, RCODE.SERVFAIL);
    return ANSWERED;
  }

  /** CoreDNS passes on to another `forward` only; with none behind, the answer stands. */
  #forwardFollows(exchange: Exchange): boolean {
    return exchange.chain.handlers[exchange.position + 1]?.name === "forward";
  }

  /** Ends a lookup: hands each exchange that waited for it to `finish`. */
  #release(race: Race, finish: (exchange: Exchange) => void): void {
    const lookup = this.#byRace.get(race)!;
    this.#byRace.delete(race);
    this.#unlink(lookup);
    for (let exchange: Exchange | null = lookup.waiters; exchange !== null;) {
      const following: Exchange | null = exchange.nextWaiter;
      exchange.nextWaiter = null;
      finish(exchange);
      exchange = following;
    }
    if (this.#stopping && this.#byRace.size === 0) this.#group.retire();
  }

  #unlink(lookup: Lookup): void {
    let other = this.#lookups.get(lookup.key)!;
    if (other !== lookup) {
      while (other.next !== lookup) other = other.next!;
      other.next = lookup.next;
    } else if (lookup.next === null) {
      this.#lookups.delete(lookup.key);
    } else {
      this.#lookups.set(lookup.key, lookup.next);
    }
  }
}
