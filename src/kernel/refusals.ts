import type { Clock } from "../base/clock.ts";
import type { LogLevel } from "../engine/handler.ts";
import type { SeriesBook } from "../metrics/series.ts";
import { type Reason, REASONS, type Refusal } from "./refusal.ts";

/** Of one reason: causes may come and go with every pod. */
const WARN_AGAIN_MS = 60_000;

/** Refusals that hold now. Each is logged when it begins. */
export class Refusals {
  readonly #current = new Map<Reason, Refusal>();
  readonly #loggedMs = new Map<Reason, number>();
  /** Not logged yet. */
  readonly #news = new Set<Reason>();
  readonly #log: (level: LogLevel, line: string) => void;
  readonly #clock: Pick<Clock, "now">;

  constructor(log: (level: LogLevel, line: string) => void, clock: Pick<Clock, "now">) {
    this.#log = log;
    this.#clock = clock;
  }

  set(refusal: Refusal): void {
    const { reason, message, remedy } = refusal;
    const before = this.#current.get(reason);
    this.#current.set(reason, refusal);
    // Other words for what holds already, like another pod with the same foreign program.
    const isKnown = before !== undefined && (reason !== "interface" || before.message === message);
    if (!isKnown) this.#news.add(reason);
    const nowMs = this.#clock.now();
    const isEarly = nowMs - (this.#loggedMs.get(reason) ?? -Infinity) < WARN_AGAIN_MS;
    if (!this.#news.has(reason) || isEarly) return;
    this.#news.delete(reason);
    this.#loggedMs.set(reason, nowMs);
    this.#log("warning", `kernel hits: ${message} (${remedy}); nodens itself answers instead`);
  }

  /** Returns whether it held. */
  clear(reason: Reason): boolean {
    this.#news.delete(reason);
    return this.#current.delete(reason);
  }

  get all(): readonly Refusal[] {
    return [...this.#current.values()];
  }

  addMetrics(book: SeriesBook): void {
    for (const reason of REASONS) {
      book.add("nodens_kernel_hits_refusals", { reason }, this.#current.has(reason) ? 1 : 0);
    }
  }
}
