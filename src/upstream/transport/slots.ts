import type { EngineServices } from "../../engine/handler.ts";
import type { Connection } from "./connection.ts";

/** A server's connections. */
export interface SlotHolder {
  readonly size: number;
  /** Requeues the queries; needs two connections. */
  freeOne(): void;
}

/**
 * An engine's connections. If descriptors run out, the longest idle one closes, but never a
 * server's only one: slow zones must not starve others. The largest cedes one to servers
 * without any.
 */
export class ConnectionSlots {
  /** Longest idle first. */
  readonly idle = new Map<Connection, SlotHolder>();
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

  /** False if nothing was closed. */
  makeRoom(asking: SlotHolder): boolean {
    for (const [connection, holder] of this.idle) {
      if (holder !== asking && holder.size === 1 && asking.size > 0) continue;
      this.idle.delete(connection);
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
