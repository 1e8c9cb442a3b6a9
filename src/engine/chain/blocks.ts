import type { Config } from "../../config/types.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { CreateHandler, EngineServices, Handler } from "../handler.ts";
import type { ZoneTable } from "../question/zones.ts";
import type { HandlerChain } from "./chain.ts";
import { buildChains } from "./chains.ts";
import { buildRoutes, findObservers, findRoute, type Route } from "./routes.ts";

/** The server blocks of the configuration that serves: their chains, and which queries go to which. */
export class Blocks {
  readonly #handlers: ReadonlyMap<string, CreateHandler>;
  #config: Config = { file: "", blocks: [], listeners: [], debug: false };
  #chains: HandlerChain[] = [];
  #routes: ZoneTable<Route>[] = [];
  #observers: (Handler | null)[] = [];

  /** @param handlers - makes the handlers, by plugin name */
  constructor(handlers: ReadonlyMap<string, CreateHandler>) {
    this.#handlers = handlers;
  }

  /** Replaces the configuration. Chains that it keeps go on; the others are stopped. */
  configure(config: Config, engine: EngineServices): void {
    const old = this.#chains;
    const chains = buildChains(config, {
      handlers: this.#handlers,
      engine,
      previous: { config: this.#config, chains: old },
    });
    this.#routes = buildRoutes(config, chains);
    this.#observers = findObservers(config, chains);
    this.#config = config;
    this.#chains = chains;
    for (const chain of old) if (!chains.includes(chain)) chain.stop();
  }

  /** Where the query of an exchange goes, or null. */
  route(exchange: Exchange): Route | null {
    return findRoute(this.#routes[exchange.listener]!, exchange);
  }

  /** The observer of queries to a listener that are rejected before any chain runs, or null. */
  observerOf(listener: number): Handler | null {
    return this.#observers[listener] ?? null;
  }

  /** The handler at a position of a block. */
  handlerAt(block: number, position: number): Handler | undefined {
    return this.#chains[block]?.handlers[position];
  }

  /** The handlers that cannot do their work yet: block and plugin of each. */
  unready(): [block: number, plugin: string][] {
    return this.#chains.flatMap(({ handlers }, block) =>
      handlers.filter((handler) => handler.ready?.() === false)
        .map(({ name }): [number, string] => [block, name])
    );
  }
}
