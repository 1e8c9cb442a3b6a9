import type { Config } from "../../config/types.ts";
import { TYPE } from "../../dns/constants.ts";
import type { AnswerCounters } from "../exchange/answer_source.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { Creators, EngineServices, Handler } from "../handler.ts";
import { ZoneTable } from "../question/zones.ts";
import { servedZones } from "../served.ts";
import { HandlerChain } from "./chain.ts";
import { predecessors } from "./predecessors.ts";

interface Route {
  readonly chain: HandlerChain;
  readonly zone: number;
}

/** Server blocks with routes to their chains. */
export class Blocks {
  readonly #handlers: Creators;
  readonly #answers: AnswerCounters;
  #config: Config = { file: "", blocks: [], listeners: [], debug: false };
  #chains: HandlerChain[] = [];
  #routes: ZoneTable<Route>[] = [];
  /** Of queries rejected before any chain, by listener. */
  observers: (Handler | undefined)[] = [];

  constructor(handlers: Creators, answers: AnswerCounters) {
    this.#handlers = handlers;
    this.#answers = answers;
  }

  configure(config: Config, engine: EngineServices): void {
    const old = this.#chains;
    const chains = this.#build(config, engine);
    this.#routes = config.listeners.map(({ zones }) =>
      new ZoneTable(zones.map(({ zone, block }, i) => [zone, { chain: chains[block]!, zone: i }]))
    );
    this.observers = config.listeners.map(({ zones }) =>
      zones.map(({ block }) => chains[block]!.observer).find((one) => one !== undefined)
    );
    this.#config = config;
    this.#chains = chains;
    for (const chain of old) if (!chains.includes(chain)) chain.stop();
  }

  /** Reuses unchanged blocks' chains. */
  #build(config: Config, engine: EngineServices): HandlerChain[] {
    const allServed = servedZones(config);
    const blockBefore = predecessors(config, this.#config);
    const reusable = new Map(this.#chains.map((chain) => [chain.signature, chain]));
    return config.blocks.map(({ zones, plugins }, index) => {
      const served = allServed[index]!;
      // Line numbers do not affect behaviour.
      const parts = plugins.map(({ name, options }) => [name, options]);
      const signature = JSON.stringify([zones, parts, served]);
      const reused = reusable.get(signature);
      if (reused !== undefined) return reused;
      const left = [...this.#chains[blockBefore[index]!]?.handlers ?? []];
      const handlers = plugins.map(({ name, options }, position) => {
        const create = this.#handlers.get(name);
        if (create === undefined) throw new TypeError(`Cannot run plugin "${name}"`);
        const at = left.findIndex((handler) => handler.name === name);
        const previous = at < 0 ? null : left.splice(at, 1)[0]!;
        return create(options, { zones, position, engine, plugins, served, previous });
      });
      return new HandlerChain(handlers, this.#answers, signature);
    });
  }

  /** Read only. */
  get config(): Config {
    return this.#config;
  }

  /** DS records belong to the parent zone. */
  route(exchange: Exchange): Route | null {
    const zones = this.#routes[exchange.listener]!;
    if (exchange.qnameLength === 0) return null;
    return exchange.qtype === TYPE.DS ? zones.matchParent(exchange) : zones.match(exchange);
  }

  deliver(block: number, position: number, data: unknown): void {
    this.#chains[block]?.handlers[position]?.receive?.(data);
  }

  ask(block: number, position: number, request: unknown): unknown {
    return this.#chains[block]?.handlers[position]?.ask?.(request);
  }

  unready(): [block: number, plugin: string][] {
    return this.#chains.flatMap(({ handlers }, block) =>
      handlers.filter((handler) => handler.ready?.() === false)
        .map(({ name }): [number, string] => [block, name])
    );
  }
}
