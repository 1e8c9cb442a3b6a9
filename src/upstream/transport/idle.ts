import type { EngineServices } from "../../engine/handler.ts";
import type { Connection } from "./connection.ts";

/**
 * Connections of one engine that carry nothing, whichever servers they go to, the longest idle first.
 *
 * Descriptors for connections are limited over all servers: where they have run out, an idle one
 * makes room for a query.
 */
export class IdleConnections {
  readonly #connections = new Set<Connection>();

  /** Those of an engine. */
  static of(engine: EngineServices): IdleConnections {
    let own = all.get(engine);
    if (own === undefined) all.set(engine, own = new IdleConnections());
    return own;
  }

  add(connection: Connection): void {
    this.#connections.add(connection);
  }

  delete(connection: Connection): void {
    this.#connections.delete(connection);
  }

  /** Closes the longest idle one; returns whether there was any. */
  closeOne(): boolean {
    const first = this.#connections.values().next().value;
    if (first === undefined) return false;
    this.#connections.delete(first);
    first.close();
    return true;
  }
}

const all = new WeakMap<EngineServices, IdleConnections>();
