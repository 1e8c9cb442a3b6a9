import type { EngineServices } from "../../engine/handler.ts";
import type { Timer } from "../../engine/timers.ts";

/** How often the queue looks for sockets that were released elsewhere. */
const RETRY_MS = 5;
/** Time to wait for a socket before something else is tried. */
const PATIENCE_MS = 20;

/** A query without a socket. */
export interface SocketWaiter {
  /** Tries again to send; returns false if there is still no socket, else leaves the queue. */
  sendNow(): boolean;
  /** It has waited too long and has left the queue. */
  giveUp(): void;
}

/**
 * Queries that wait for a socket because ports or descriptors have run out, first come, first served.
 * They have not been sent, so no server is to blame. Their callers enforce deadlines. There are at
 * most as many as asks under way.
 */
export class SocketQueue {
  /** Each with the time since when it waits. */
  readonly #waiting = new Map<SocketWaiter, number>();
  /** These have given up once and come first: they have no alternative to a socket. */
  readonly #stuck = new Set<SocketWaiter>();
  readonly #engine: EngineServices;
  readonly #timer: Timer;
  readonly #waits: number;
  readonly #fallbacks: number;

  constructor(engine: EngineServices, labels: Readonly<Record<string, string>>) {
    this.#engine = engine;
    this.#timer = engine.timers.create((nowMs) => this.#serve(nowMs));
    this.#waits = engine.counter("nodens_forward_socket_waits_total", labels);
    this.#fallbacks = engine.counter("nodens_forward_socket_fallbacks_total", labels);
  }

  get size(): number {
    return this.#waiting.size + this.#stuck.size;
  }

  /** Appends a query. */
  add(waiter: SocketWaiter): void {
    this.#engine.values[this.#waits]!++;
    this.#waiting.set(waiter, this.#engine.nowMs);
    this.#arm(this.#engine.nowMs + RETRY_MS);
  }

  /** Queues a query again that has given up, for as long as it takes. */
  putBack(waiter: SocketWaiter): void {
    this.#stuck.add(waiter);
    this.#arm(this.#engine.nowMs + RETRY_MS);
  }

  delete(waiter: SocketWaiter): void {
    this.#waiting.delete(waiter);
    this.#stuck.delete(waiter);
  }

  /** A socket was released: serves the queue at the end of this turn of the loop. */
  freed(): void {
    if (this.size > 0) this.#arm(this.#engine.nowMs);
  }

  #arm(dueMs: number): void {
    if (this.#timer.index >= 0 && this.#timer.dueMs <= dueMs) return;
    this.#engine.timers.set(this.#timer, dueMs);
  }

  #serve(nowMs: number): void {
    if (sendAll(this.#stuck) && sendAll(this.#waiting.keys())) return;
    for (const [waiter, sinceMs] of this.#waiting) {
      if (sinceMs + PATIENCE_MS > nowMs) break;
      this.#waiting.delete(waiter);
      this.#engine.values[this.#fallbacks]!++;
      waiter.giveUp();
    }
    if (this.size > 0) this.#arm(nowMs + RETRY_MS);
  }
}

/** Sends until there is no socket left; returns whether all were sent. */
function sendAll(waiters: Iterable<SocketWaiter>): boolean {
  for (const waiter of waiters) if (!waiter.sendNow()) return false;
  return true;
}
