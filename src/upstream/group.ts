/**
 * Asking a group of servers, in layers; each is a function of the one below:
 *
 * ```
 *  race        which server next, hedging, sending again: sees outcomes alone
 *    └ server    one server and what is known of it: EDNS, cookies, spelling, TCP after truncation
 *        └ transport   UDP with a fresh port; connections over TCP, TLS and HTTPS
 * ```
 *
 * Coalescing equal questions is the caller's business.
 */
import type { EngineServices } from "../engine/handler.ts";
import { Budget } from "./race/budget.ts";
import { labelOf, type ServerAddress, type ServerSettings, type ServerState } from "./options.ts";
import { ServerOrder } from "./race/order.ts";
import type { RaceGroup, RaceSettings } from "./race/contest.ts";
import { Reply } from "./message/reply.ts";
import { SocketQueue } from "./transport/socket_queue.ts";
import { ScanTime } from "./message/scan_time.ts";
import { type ServerGroup, UpstreamServer } from "./server/server.ts";

/** Hedges are at most one in twenty queries, a few at a time. */
const HEDGES = { share: 0.05, perSecond: 0, most: 10 } as const;
/** Queries sent again because they may be lost: one in five, and ten a second whatever the load. */
const RESENDS = { share: 0.2, perSecond: 10, most: 100 } as const;

/** How a group of servers is asked. */
export type GroupSettings = ServerSettings & RaceSettings;

/** Servers that are asked the same questions. */
export class UpstreamGroup implements ServerGroup, RaceGroup {
  readonly engine: EngineServices;
  readonly reply: Reply;
  readonly sockets: SocketQueue;
  readonly hedges = new Budget(HEDGES);
  readonly resends = new Budget(RESENDS);
  #settings: GroupSettings;
  #servers: readonly UpstreamServer[];
  #order: ServerOrder;

  readonly #mismatches: number;
  readonly #malformed: number;
  readonly #allDown: number;
  readonly #hedged: number;
  readonly #resent: number;
  readonly #forgeries: number;
  readonly #wrongSubnets: number;

  /** @param labels - of the group's counters */
  constructor(
    servers: readonly ServerAddress[],
    settings: GroupSettings,
    { engine, labels }: { engine: EngineServices; labels: Readonly<Record<string, string>> },
  ) {
    this.engine = engine;
    this.#settings = settings;
    this.reply = new Reply(new ScanTime(engine, labels));
    this.sockets = new SocketQueue(engine, labels);
    this.#servers = servers.map((server) => new UpstreamServer(server, this));
    this.#order = new ServerOrder(settings.policy, this.#servers, engine.random);
    this.#mismatches = engine.counter("nodens_forward_mismatched_replies_total", labels);
    this.#malformed = engine.counter("nodens_forward_malformed_replies_total", labels);
    this.#hedged = engine.counter("nodens_forward_hedges_total", labels);
    this.#resent = engine.counter("nodens_forward_resends_total", labels);
    this.#forgeries = engine.counter("nodens_forward_forgeries_suspected_total", labels);
    this.#wrongSubnets = engine.counter("nodens_forward_wrong_subnets_total", labels);
    this.#allDown = engine.counter("coredns_forward_healthcheck_broken_total");
  }

  get settings(): GroupSettings {
    return this.#settings;
  }

  get servers(): readonly UpstreamServer[] {
    return this.#servers;
  }

  get order(): ServerOrder {
    return this.#order;
  }

  /** How the servers are, for people. */
  get states(): ServerState[] {
    return this.#servers.map(({ state }) => state);
  }

  /** Asks other servers from now on. What stays the same keeps its state. */
  change(servers: readonly ServerAddress[], settings: GroupSettings): void {
    this.#settings = settings;
    const known = new Map(this.#servers.map((server) => [server.label, server]));
    const once = new Map(servers.map((server) => [labelOf(server), server]));
    this.#servers = [...once].map(([label, server]) => {
      const kept = known.get(label);
      known.delete(label);
      return kept ?? new UpstreamServer(server, this);
    });
    this.#order = new ServerOrder(settings.policy, this.#servers, this.engine.random);
    // They may still answer questions that they already have.
    for (const server of known.values()) server.retire();
  }

  /** Ends checks and, once they are idle, connections. */
  retire(): void {
    for (const server of this.#servers) server.retire();
  }

  /** A datagram or message that answers nothing asked. */
  countMismatch(): void {
    this.engine.values[this.#mismatches]!++;
  }

  /** A reply to the question that cannot be used. */
  countMalformed(): void {
    this.engine.values[this.#malformed]!++;
  }

  /** So many wrong replies came that somebody seems to guess. */
  countForgery(): void {
    this.engine.values[this.#forgeries]!++;
  }

  /** A reply for another client subnet than the one asked for. */
  countWrongSubnet(): void {
    this.engine.values[this.#wrongSubnets]!++;
  }

  countAllDown(): void {
    this.engine.values[this.#allDown]!++;
  }

  countHedge(): void {
    this.engine.values[this.#hedged]!++;
  }

  countResend(): void {
    this.engine.values[this.#resent]!++;
  }
}
