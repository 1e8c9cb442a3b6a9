/**
 * Asking a group of servers, in layers:
 *
 * ```
 *  race        next server, hedging, resending: sees only outcomes
 *    └ server    one server's state: EDNS, cookies, spelling, TCP after truncation
 *        └ transport   UDP with a fresh port; connections over TCP, TLS and HTTPS
 * ```
 *
 * Callers coalesce equal questions.
 */
import type { EngineServices } from "../engine/handler.ts";
import { Reply } from "./message/reply.ts";
import { type Forced, type GroupSettings, labelOf, type ServerAddress } from "./options.ts";
import { Budget } from "./race/budget.ts";
import { ServerOrder } from "./race/order.ts";
import type { RaceGroup } from "./race/types.ts";
import type { ServerGroup } from "./server/known_server.ts";
import { UpstreamServer } from "./server/server.ts";
import { SocketQueue } from "./transport/udp.ts";

const HEDGES = { share: 0.05, perSecond: 0, most: 10 } as const;
/** Resends of possibly lost queries. */
const RESENDS = { share: 0.2, perSecond: 10, most: 100 } as const;

const COUNTERS = {
  mismatch: "nodens_forward_mismatched_replies_total",
  malformed: "nodens_forward_malformed_replies_total",
  hedge: "nodens_forward_hedges_total",
  resend: "nodens_forward_resends_total",
  forgery: "nodens_forward_forgeries_suspected_total",
  wrongSubnet: "nodens_forward_wrong_subnets_total",
  allDown: "coredns_forward_healthcheck_broken_total",
} as const;
type GroupEvent = keyof typeof COUNTERS;

/** Servers asked the same questions. */
export class UpstreamGroup implements ServerGroup, RaceGroup {
  readonly engine: EngineServices;
  readonly zones: readonly string[];
  readonly reply: Reply;
  readonly sockets: SocketQueue;
  readonly hedges = new Budget(HEDGES);
  readonly resends = new Budget(RESENDS);
  settings: GroupSettings;
  servers: readonly UpstreamServer[] = [];
  order: ServerOrder;
  readonly #counters: ReadonlyMap<GroupEvent, number>;

  constructor(
    servers: readonly ServerAddress[],
    settings: GroupSettings,
    { engine, labels, zones }: {
      engine: EngineServices;
      labels: Readonly<Record<string, string>>;
      /** For the log. */
      zones: readonly string[];
    },
  ) {
    this.engine = engine;
    this.zones = zones;
    this.settings = settings;
    this.reply = new Reply(engine, labels);
    this.sockets = new SocketQueue(engine, labels);
    const counter = (event: GroupEvent) =>
      engine.counter(COUNTERS[event], event === "allDown" ? undefined : labels);
    const events = Object.keys(COUNTERS) as GroupEvent[];
    this.#counters = new Map(events.map((event) => [event, counter(event)]));
    this.servers = [...byLabel(servers).values()].map((one) => new UpstreamServer(one, this));
    this.order = new ServerOrder(settings.policy, this.servers, engine.random);
  }

  /** Remaining servers keep their state. */
  change(
    servers: readonly ServerAddress[],
    settings: GroupSettings,
    forced: Readonly<Record<string, Forced>> = {},
  ): void {
    this.settings = settings;
    const known = new Map(this.servers.map((server) => [server.label, server]));
    this.servers = [...byLabel(servers)].map(([label, server]) => {
      const kept = known.get(label);
      known.delete(label);
      return kept ?? new UpstreamServer(server, this);
    });
    this.order = new ServerOrder(settings.policy, this.servers, this.engine.random);
    for (const server of known.values()) server.retire();
    for (const server of this.servers) server.force(forced[server.label] ?? null);
  }

  retire(): void {
    for (const server of this.servers) server.retire();
  }

  count(event: GroupEvent): void {
    this.engine.values[this.#counters.get(event)!]!++;
  }
}

function byLabel(servers: readonly ServerAddress[]): Map<string, ServerAddress> {
  return new Map(servers.map((server) => [labelOf(server), server]));
}
