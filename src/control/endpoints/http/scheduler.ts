import type { Cancel, Clock } from "../../../base/clock.ts";
import type { HttpLimits } from "./limits.ts";

type Queue = Map<unknown, () => void>;

/** Schedules answers over all addresses: each turn a few probes, then one page (rate-limited). */
export class HttpScheduler {
  readonly #limits: Pick<HttpLimits, "probesATurn" | "pagesASecond" | "pagesInARow">;
  readonly #clock: Clock;
  readonly #probes: Queue = new Map();
  readonly #pages: Queue = new Map();
  #allowed: number;
  #refilledMs: number;
  #scheduled = false;
  #cancelPause: Cancel | null = null;

  constructor(
    limits: Pick<HttpLimits, "probesATurn" | "pagesASecond" | "pagesInARow">,
    clock: Clock,
  ) {
    this.#limits = limits;
    this.#clock = clock;
    this.#allowed = limits.pagesInARow;
    this.#refilledMs = clock.now();
  }

  /** Resolves when `connection` may be answered, or after `leave`. */
  wait(connection: unknown, kind: "probe" | "page"): Promise<void> {
    return new Promise((resolve) => {
      (kind === "probe" ? this.#probes : this.#pages).set(connection, resolve);
      this.#schedule();
    });
  }

  leave(connection: unknown): void {
    for (const queue of [this.#probes, this.#pages]) release(queue, connection);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    if (this.#probes.size > 0 || this.#mayAnswerPage()) {
      this.#cancelPause?.();
      this.#cancelPause = null;
      this.#scheduled = true;
      setImmediate(() => this.#run());
    } else if (this.#pages.size > 0 && this.#cancelPause === null) {
      const pauseMs = (1 - this.#allowed) * 1000 / this.#limits.pagesASecond;
      this.#cancelPause = this.#clock.after(Math.ceil(pauseMs), () => {
        this.#cancelPause = null;
        this.#schedule();
      });
    }
  }

  #run(): void {
    this.#scheduled = false;
    for (let left = this.#limits.probesATurn; left > 0 && this.#probes.size > 0; left--) {
      release(this.#probes, first(this.#probes));
    }
    if (this.#mayAnswerPage()) {
      this.#allowed--;
      release(this.#pages, first(this.#pages));
    }
    this.#schedule();
  }

  #mayAnswerPage(): boolean {
    if (this.#pages.size === 0) return false;
    const { pagesASecond, pagesInARow } = this.#limits;
    const nowMs = this.#clock.now();
    const more = (nowMs - this.#refilledMs) / 1000 * pagesASecond;
    this.#refilledMs = nowMs;
    this.#allowed = Math.min(pagesInARow, this.#allowed + more);
    return this.#allowed >= 1;
  }
}

function first(queue: Queue): unknown {
  return queue.keys().next().value;
}

function release(queue: Queue, connection: unknown): void {
  const resolve = queue.get(connection);
  queue.delete(connection);
  resolve?.();
}
