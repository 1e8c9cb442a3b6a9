import type { EngineServices } from "../../engine/handler.ts";
import type { Connection } from "./connection.ts";

/** The connections to one server, as the places for all see them. */
export interface PlaceHolder {
  /** Open connections. */
  readonly size: number;
  /** Closes one that is in use; what waits on it waits for another one. Has two at least. */
  giveUpOne(): void;
}

/**
 * Connections of one engine, whichever servers they go to.
 *
 * Descriptors for connections are limited over all servers. Where they have run out, the longest idle
 * one makes room for a query, but never the only one to its server: a slow zone whose queries want
 * ever more must not take away what another server's queries go on. A server without any gets a place
 * of whichever has most.
 */
export class ConnectionPlaces {
  /** Those that carry nothing, the longest idle first, by their holder. */
  readonly #idle = new Map<Connection, PlaceHolder>();
  readonly #holders = new Set<PlaceHolder>();

  /** Those of an engine. */
  static of(engine: EngineServices): ConnectionPlaces {
    let own = all.get(engine);
    if (own === undefined) all.set(engine, own = new ConnectionPlaces());
    return own;
  }

  /** A holder has opened a connection, or lost one. */
  changed(holder: PlaceHolder): void {
    if (holder.size > 0) this.#holders.add(holder);
    else this.#holders.delete(holder);
  }

  addIdle(connection: Connection, holder: PlaceHolder): void {
    this.#idle.set(connection, holder);
  }

  deleteIdle(connection: Connection): void {
    this.#idle.delete(connection);
  }

  /** Closes a connection, so that this one can open another; returns whether any was closed. */
  makeRoom(asking: PlaceHolder): boolean {
    for (const [connection, holder] of this.#idle) {
      if (holder !== asking && holder.size === 1 && asking.size > 0) continue;
      this.#idle.delete(connection);
      connection.close();
      return true;
    }
    if (asking.size > 0) return false;
    let most: PlaceHolder | null = null;
    for (const holder of this.#holders) if (holder.size > (most?.size ?? 1)) most = holder;
    most?.giveUpOne();
    return most !== null;
  }
}

const all = new WeakMap<EngineServices, ConnectionPlaces>();
