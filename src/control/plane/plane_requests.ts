/** A limit that is found out so much late says more of this thread than of the data plane... */
const LATE_MS = 100;
/** ...which then gets this much for an answer that may lie there unread. */
const LATE_GRACE_MS = 100;

/** Requests to a data plane that wait for its answer. */
export class PlaneRequests {
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #lastId = 0;

  /**
   * Sends a request and waits for its answer. Rejects after `limitMs`, or where the data plane ends.
   *
   * @param send - is given the number that the answer must carry
   */
  async wait(limitMs: number, send: (id: number) => void): Promise<unknown> {
    const id = ++this.#lastId;
    const request = Promise.withResolvers<unknown>();
    this.#waiting.set(id, request);
    const silent = () =>
      request.reject(new Error(`the data plane has not answered within ${limitMs} ms`));
    const dueMs = performance.now() + limitMs;
    let timer = setTimeout(() => {
      if (performance.now() < dueMs + LATE_MS) silent();
      else timer = setTimeout(silent, LATE_GRACE_MS);
    }, limitMs);
    try {
      send(id);
      return await request.promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  /** The answer to a request has come; one that nobody waits for any more is dropped. */
  answered(id: number, answer: unknown): void {
    this.#waiting.get(id)?.resolve(answer);
  }

  /** The data plane has ended: nobody will answer. */
  giveUp(): void {
    for (const { reject } of this.#waiting.values()) reject(new Error("the data plane has ended"));
  }
}
