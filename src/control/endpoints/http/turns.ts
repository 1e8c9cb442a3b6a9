import type { HttpLimits } from "./limits.ts";

/** Who waits for a turn. */
type Waiting<T> = Map<T, () => void>;

/**
 * Gives requests their turns, over all addresses, so that whatever comes over HTTP leaves the event
 * loop free for everything else in this thread: a few probes a turn of the loop, before one page
 * (metrics, the status, errors), and only so many pages a second. A connection waits with one request
 * at a time and is not read meanwhile, so what its client sends ahead costs nothing.
 */
export class HttpTurns<T> {
  readonly #limits: Pick<HttpLimits, "probesATurn" | "pagesASecond" | "pagesInARow">;
  readonly #now: () => number;
  readonly #probes: Waiting<T> = new Map();
  readonly #pages: Waiting<T> = new Map();
  /** Pages that may be answered now. */
  #allowed: number;
  #refilledMs: number;
  #next: "none" | "turn" | "pause" = "none";
  #pause: ReturnType<typeof setTimeout> | undefined;

  /** @param now - monotonic milliseconds; default: the runtime's clock */
  constructor(
    limits: Pick<HttpLimits, "probesATurn" | "pagesASecond" | "pagesInARow">,
    now: () => number = () => performance.now(),
  ) {
    this.#limits = limits;
    this.#now = now;
    this.#allowed = limits.pagesInARow;
    this.#refilledMs = now();
  }

  /** Resolves when the request that `who` has sent may be answered, or `who` leaves. */
  wait(who: T, kind: "probe" | "page"): Promise<void> {
    return new Promise((resolve) => {
      (kind === "probe" ? this.#probes : this.#pages).set(who, resolve);
      this.#plan();
    });
  }

  /** Waits no more: its connection is closed. */
  leave(who: T): void {
    for (const waiting of [this.#probes, this.#pages]) takeOut(waiting, who);
  }

  #plan(): void {
    if (this.#next === "turn") return;
    if (this.#probes.size > 0 || (this.#pages.size > 0 && this.#refill() >= 1)) {
      clearTimeout(this.#pause);
      this.#next = "turn";
      setImmediate(() => this.#run());
    } else if (this.#pages.size > 0 && this.#next === "none") {
      this.#next = "pause";
      const pauseMs = (1 - this.#allowed) * 1000 / this.#limits.pagesASecond;
      this.#pause = setTimeout(() => {
        this.#next = "none";
        this.#plan();
      }, Math.ceil(pauseMs));
    }
  }

  #run(): void {
    this.#next = "none";
    for (let left = this.#limits.probesATurn; left > 0 && this.#probes.size > 0; left--) {
      takeOut(this.#probes, first(this.#probes));
    }
    if (this.#pages.size > 0 && this.#refill() >= 1) {
      this.#allowed--;
      takeOut(this.#pages, first(this.#pages));
    }
    this.#plan();
  }

  #refill(): number {
    const { pagesASecond, pagesInARow } = this.#limits;
    const nowMs = this.#now();
    const more = (nowMs - this.#refilledMs) / 1000 * pagesASecond;
    this.#refilledMs = nowMs;
    return this.#allowed = Math.min(pagesInARow, this.#allowed + more);
  }
}

function first<T>(waiting: Waiting<T>): T {
  return waiting.keys().next().value!;
}

function takeOut<T>(waiting: Waiting<T>, who: T): void {
  const resolve = waiting.get(who);
  waiting.delete(who);
  resolve?.();
}
