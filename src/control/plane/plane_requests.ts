import type { Cancel, Clock } from "../../base/clock.ts";

/** A timer this late says more about this thread than about the data plane, ... */
const LATE_MS = 100;
/** ... whose answer may already be queued: it gets this much longer. */
const GRACE_MS = 100;

/** Requests that wait for a data plane's answer. */
export class PlaneRequests {
  readonly #clock: Clock;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #lastId = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Sends a request with a fresh id. Rejects after `limitMs`, or when the data plane ends. */
  async wait(limitMs: number, send: (id: number) => void): Promise<unknown> {
    const clock = this.#clock;
    const id = ++this.#lastId;
    const request = Promise.withResolvers<unknown>();
    this.#waiting.set(id, request);
    const expire = () =>
      request.reject(new Error(`the data plane has not answered within ${limitMs} ms`));
    const dueMs = clock.now() + limitMs;
    let cancel: Cancel = clock.after(limitMs, () => {
      if (clock.now() < dueMs + LATE_MS) expire();
      else cancel = clock.after(GRACE_MS, expire);
    });
    try {
      send(id);
      return await request.promise;
    } finally {
      cancel();
      this.#waiting.delete(id);
    }
  }

  answered(id: number, answer: unknown): void {
    this.#waiting.get(id)?.resolve(answer);
  }

  rejectAll(): void {
    for (const { reject } of this.#waiting.values()) reject(new Error("the data plane has ended"));
  }
}
