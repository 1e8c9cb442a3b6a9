import type { EngineServices } from "../../engine/handler.ts";
import type { Connection } from "./connection.ts";

/** The connections to one server, as the slots of all see them. */
export interface SlotHolder {
  /** Open connections. */
  readonly size: number;
  /** Closes one in use and requeues its queries. Called only with two or more. */
  freeOne(): void;
}

/**
 * The connections of one engine to all servers, whose descriptors are limited together.
 *
 * When they run out, the connection that has been idle longest is closed, but never the only one to
 * its server: a slow zone whose queries want ever more must not take the connection of another
 * server's queries. A server without any gets a slot of the server with the most.
 */
export class ConnectionSlots {
  /** Idle connections, the longest idle first. */
  readonly #idle = new Map<Connection, SlotHolder>();
  readonly #holders = new Set<SlotHolder>();

  /** The slots of an engine. */
  static of(engine: EngineServices): ConnectionSlots {
    let own = all.get(engine);
    if (own === undefined) all.set(engine, own = new ConnectionSlots());
    return own;
  }

  /** Must be called when the size of a holder changes. */
  changed(holder: SlotHolder): void {
    if (holder.size > 0) this.#holders.add(holder);
    else this.#holders.delete(holder);
  }

  addIdle(connection: Connection, holder: SlotHolder): void {
    this.#idle.set(connection, holder);
  }

  deleteIdle(connection: Connection): void {
    this.#idle.delete(connection);
  }

  /** Closes a connection so that `asking` can open one; returns whether one was closed. */
  makeRoom(asking: SlotHolder): boolean {
    for (const [connection, holder] of this.#idle) {
      if (holder !== asking && holder.size === 1 && asking.size > 0) continue;
      this.#idle.delete(connection);
      connection.close();
      return true;
    }
    if (asking.size > 0) return false;
    let most: SlotHolder | null = null;
    for (const holder of this.#holders) if (holder.size > (most?.size ?? 1)) most = holder;
    most?.freeOne();
    return most !== null;
  }
}

const all = new WeakMap<EngineServices, ConnectionSlots>();
