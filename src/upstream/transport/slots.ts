import type { EngineServices } from "../../engine/handler.ts";
import type { Connection } from "./connection.ts";

/** The connections to one server. */
export interface SlotHolder {
  readonly size: number;
  /** Closes a connection in use and requeues its queries; called only with two or more. */
  freeOne(): void;
}

/**
 * The connections of one engine, whose descriptors are limited. When they run out, the connection
 * that has been idle longest is closed, but never the only one to its server: a slow zone must not
 * take the connection of another server. A server without any gets a slot of the server with the
 * most.
 */
export class ConnectionSlots {
  /** The longest idle first. */
  readonly #idle = new Map<Connection, SlotHolder>();
  readonly #holders = new Set<SlotHolder>();

  static of(engine: EngineServices): ConnectionSlots {
    let own = all.get(engine);
    if (own === undefined) all.set(engine, own = new ConnectionSlots());
    return own;
  }

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

  /** Returns whether a connection was closed. */
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
