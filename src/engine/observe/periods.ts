import type { ListName, ListReply, ListSpan } from "./requests.ts";
import { Period } from "./period.ts";

const MINUTE_MS = 60_000;
/** An hour moves by blocks of whole minutes. */
const BLOCK_MS = 20 * MINUTE_MS;
const BLOCKS = 3;

/**
 * Periods of the lists. Minutes begin at multiples of a minute, in all data planes at once.
 *
 * ```
 *   | block | block | block      | current minute |
 *   |<-- 40 to 60 minutes ------>|
 *                       | last   | current minute |
 *                       |<---- 1 to 2 minutes --->|
 * ```
 */
export class Periods {
  current: Period = new Period();
  #last: Period | null = null;
  readonly #blocks: Period[] = [];
  readonly #sinceMs: number;
  #minute: number;
  #block: number;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
    this.#minute = Math.floor(nowMs / MINUTE_MS);
    this.#block = Math.floor(nowMs / BLOCK_MS);
  }

  get sizeBytes(): number {
    return [this.current, ...this.#last === null ? [] : [this.#last], ...this.#blocks]
      .reduce((sum, period) => sum + period.sizeBytes, 0);
  }

  get endMs(): number {
    return (this.#minute + 1) * MINUTE_MS;
  }

  /** Closes a past minute, in about 0.1 ms. */
  advance(nowMs: number): void {
    const minute = Math.floor(nowMs / MINUTE_MS);
    if (minute === this.#minute) return;
    const ended = this.current;
    const spare = this.#last ?? new Period();
    this.#last = ended;
    spare.clear();
    this.current = spare;
    this.#advanceBlocks(Math.floor(this.#minute * MINUTE_MS / BLOCK_MS));
    this.#blocks.at(-1)!.merge(ended);
    if (minute > this.#minute + 1) ended.clear();
    this.#advanceBlocks(Math.floor(minute * MINUTE_MS / BLOCK_MS));
    this.#minute = minute;
  }

  #advanceBlocks(block: number): void {
    const blocks = this.#blocks;
    if (blocks.length === 0) {
      blocks.push(new Period());
      this.#block = block;
    }
    // After a long rest all of them are old.
    const steps = Math.min(BLOCKS, block - this.#block);
    for (let i = 0; i < steps; i++) {
      const next = blocks.length < BLOCKS ? new Period() : blocks.shift()!;
      next.clear();
      blocks.push(next);
    }
    this.#block = block;
  }

  #startMs(span: ListSpan): number {
    const startMs = span === "minute"
      ? (this.#minute - 1) * MINUTE_MS
      : (Math.floor(this.#minute * MINUTE_MS / BLOCK_MS) - BLOCKS + 1) * BLOCK_MS;
    return Math.max(startMs, this.#sinceMs);
  }

  /** A second at least, for rates. */
  seconds(span: ListSpan, nowMs: number): number {
    return Math.max(1, (nowMs - this.#startMs(span)) / 1000);
  }

  list(list: ListName, span: ListSpan, nowMs: number): ListReply {
    const last = this.#last === null ? [] : [this.#last];
    const periods = [this.current, ...span === "minute" ? last : this.#blocks];
    return {
      seconds: this.seconds(span, nowMs),
      counts: list === "slow" ? [] : periods.flatMap((period) => period.counts(list)),
      slow: list === "slow" ? periods.flatMap(({ slow }) => slow.lines()) : [],
    };
  }
}
