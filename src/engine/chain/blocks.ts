import type { Config } from "../../config/types.ts";
import { TYPE } from "../../dns/constants.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { CreateHandler, EngineServices, Handler } from "../handler.ts";
import { ZoneTable } from "../question/zones.ts";
import type { HandlerChain } from "./chain.ts";
import { buildChains } from "./chains.ts";

/** The chain that serves a zone, and the zone's index among those of the listener. */
export interface Route {
  readonly chain: HandlerChain;
  readonly zone: number;
}

/** The server blocks of the current configuration: their chains, and the routes to them. */
export class Blocks {
  readonly #handlers: ReadonlyMap<string, CreateHandler>;
  #config: Config = { file: "", blocks: [], listeners: [], debug: false };
  #chains: HandlerChain[] = [];
  #routes: ZoneTable<Route>[] = [];
  #observers: (Handler | null)[] = [];

  constructor(handlers: ReadonlyMap<string, CreateHandler>) {
    this.#handlers = handlers;
  }

  /** Replaces the configuration; chains that it does not reuse are stopped. */
  configure(config: Config, engine: EngineServices): void {
    const old = this.#chains;
    const chains = buildChains(config, {
      handlers: this.#handlers,
      engine,
      previous: { config: this.#config, chains: old },
    });
    this.#routes = config.listeners.map(({ zones }) =>
      new ZoneTable(zones.map(({ zone, block }, i) => [zone, { chain: chains[block]!, zone: i }]))
    );
    this.#observers = config.listeners.map(({ zones }) =>
      zones.map(({ block }) => chains[block]!.observer).find((one) => one !== null) ?? null
    );
    this.#config = config;
    this.#chains = chains;
    for (const chain of old) if (!chains.includes(chain)) chain.stop();
  }

  /** The route of a query, or null if there is none. DS records belong to the parent zone. */
  route(exchange: Exchange): Route | null {
    const zones = this.#routes[exchange.listener]!;
    if (exchange.qnameLength === 0) return null;
    return exchange.qtype === TYPE.DS ? zones.matchParent(exchange) : zones.match(exchange);
  }

  /** Observer of a listener's queries that are rejected before any chain runs, or null. */
  observerOf(listener: number): Handler | null {
    return this.#observers[listener] ?? null;
  }

  handlerAt(block: number, position: number): Handler | undefined {
    return this.#chains[block]?.handlers[position];
  }

  unready(): [block: number, plugin: string][] {
    return this.#chains.flatMap(({ handlers }, block) =>
      handlers.filter((handler) => handler.ready?.() === false)
        .map(({ name }): [number, string] => [block, name])
    );
  }
}
