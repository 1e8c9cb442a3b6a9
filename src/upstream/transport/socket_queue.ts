import type { EngineServices } from "../../engine/handler.ts";
import type { Timer } from "../../engine/timers.ts";

/** How often the first in the queue looks for a socket that others have given back. */
const LOOK_MS = 5;
/** Time to wait for a socket before something else is tried. */
const PATIENCE_MS = 20;

/** A query that has no socket yet. */
export interface SocketWaiter {
  /** Tries once more to send; returns false if there is still no socket. Else it is out of the queue. */
  sendNow(): boolean;
  /** It has waited long, and is out of the queue. */
  giveUp(): void;
}

/**
 * Queries that wait for a socket of their own, because ports or descriptors have run out: first come,
 * first served. They are asked of nobody yet, so no server is to blame for the wait; whoever queues
 * them sees to their deadline. There are never more than asks under way.
 */
export class SocketQueue {
  /** By the time since when they wait. */
  readonly #waiting = new Map<SocketWaiter, number>();
  /** These have waited for longest: nothing but a socket will do. */
  readonly #stuck = new Set<SocketWaiter>();
  readonly #engine: EngineServices;
  readonly #timer: Timer;
  readonly #waits: number;
  readonly #fallbacks: number;

  /** @param labels - of its metrics */
  constructor(engine: EngineServices, labels: Readonly<Record<string, string>>) {
    this.#engine = engine;
    this.#timer = engine.timers.create((nowMs) => this.#serve(nowMs));
    this.#waits = engine.counter("nodens_forward_socket_waits_total", labels);
    this.#fallbacks = engine.counter("nodens_forward_socket_fallbacks_total", labels);
  }

  /** Queries that wait. */
  get size(): number {
    return this.#waiting.size + this.#stuck.size;
  }

  /** Has a query wait; it is called as soon as there is a socket, or when that takes too long. */
  add(waiter: SocketWaiter): void {
    this.#engine.values[this.#waits]!++;
    this.#waiting.set(waiter, this.#engine.nowMs);
    this.#arm(this.#engine.nowMs + LOOK_MS);
  }

  /** Has a query wait again for as long as it takes, before the others. */
  putBack(waiter: SocketWaiter): void {
    this.#stuck.add(waiter);
    this.#arm(this.#engine.nowMs + LOOK_MS);
  }

  /** Takes a query out. */
  delete(waiter: SocketWaiter): void {
    this.#waiting.delete(waiter);
    this.#stuck.delete(waiter);
  }

  /** A socket was given back: looks for it at the end of this turn of the loop. */
  freed(): void {
    if (this.size > 0) this.#arm(this.#engine.nowMs);
  }

  #arm(dueMs: number): void {
    if (this.#timer.index >= 0 && this.#timer.dueMs <= dueMs) return;
    this.#engine.timers.set(this.#timer, dueMs);
  }

  #serve(nowMs: number): void {
    if (this.#serveAll(this.#stuck) && this.#serveAll(this.#waiting.keys())) return;
    for (const [waiter, sinceMs] of this.#waiting) {
      if (sinceMs + PATIENCE_MS > nowMs) break;
      this.#waiting.delete(waiter);
      this.#engine.values[this.#fallbacks]!++;
      waiter.giveUp();
    }
    if (this.size > 0) this.#arm(nowMs + LOOK_MS);
  }

  /** Sends what there are sockets for; returns whether that was all. */
  #serveAll(waiters: Iterable<SocketWaiter>): boolean {
    for (const waiter of waiters) if (!waiter.sendNow()) return false;
    return true;
  }
}
