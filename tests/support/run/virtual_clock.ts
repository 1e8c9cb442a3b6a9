import type { Cancel, Clock } from "../../../src/base/clock.ts";

/** Limit of timers fired by one `advance`: a timer that re-arms at once never ends. */
const MAX_FIRED = 100_000;

interface Pending {
  dueMs: number;
  /** Milliseconds between two calls; 0 for a one-shot timer. */
  everyMs: number;
  fn: () => void;
}

/** A clock that only tests move. Both its times begin at the same value. */
export class VirtualClock implements Clock {
  #nowMs: number;
  readonly #wallOffsetMs: number;
  readonly #pending = new Set<Pending>();

  constructor({ nowMs = 0, wallMs = nowMs }: { nowMs?: number; wallMs?: number } = {}) {
    this.#nowMs = nowMs;
    this.#wallOffsetMs = wallMs - nowMs;
  }

  now = (): number => this.#nowMs;
  wall = (): number => this.#nowMs + this.#wallOffsetMs;
  after = (ms: number, fn: () => void): Cancel => this.#add(ms, 0, fn);
  every = (ms: number, fn: () => void): Cancel => this.#add(ms, Math.max(ms, 1), fn);
  sleep = (ms: number): Promise<void> => new Promise((resolve) => this.after(ms, resolve));

  /** Number of pending timers. */
  get timers(): number {
    return this.#pending.size;
  }

  /**
   * Moves the clock and fires due timers in order. Promises resolved by a timer, and their
   * consequences without I/O, run before the next timer fires.
   */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (let fired = 0;; fired++) {
      await settlePromises();
      const next = this.#next(endMs);
      if (next === null) break;
      if (fired === MAX_FIRED) throw new Error(`${MAX_FIRED} timers fired within ${ms} ms`);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      if (next.everyMs > 0) next.dueMs += next.everyMs;
      else this.#pending.delete(next);
      next.fn();
    }
    this.#nowMs = endMs;
  }

  /** The first due timer, or null if none is due by then. Equal times keep their order. */
  #next(endMs: number): Pending | null {
    let next: Pending | null = null;
    for (const timer of this.#pending) {
      if (timer.dueMs <= endMs && (next === null || timer.dueMs < next.dueMs)) next = timer;
    }
    return next;
  }

  #add(ms: number, everyMs: number, fn: () => void): Cancel {
    const timer = { dueMs: this.#nowMs + Math.max(ms, 0), everyMs, fn };
    this.#pending.add(timer);
    return () => void this.#pending.delete(timer);
  }
}

/** Runs everything that waits for resolved promises: a macrotask follows all microtasks. */
function settlePromises(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
