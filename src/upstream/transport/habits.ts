const BELIEVE_MS = { singleUse: 600_000, limit: 60_000 } as const;
/** Consecutive connections closed after one answer, a query waiting. */
const EARLY_ENDS = 2;
/** Consecutive queries answered in time only on a fresh connection. */
const UNSERVED = 4;

/** A server's habits; refusals are believed for a while. */
export class ConnectionHabits {
  /** Read only. */
  concurrent: boolean;
  /** Set by a second answer. Read only. */
  reusable = false;
  #singleUseUntilMs = -Infinity;
  #earlyEnds = 0;
  #unserved = 0;
  #slowUntilMs = -Infinity;
  #limit = Infinity;
  #limitUntilMs = -Infinity;

  constructor(concurrent: boolean) {
    this.concurrent = concurrent;
  }

  isSingleUse(nowMs: number): boolean {
    return nowMs < this.#singleUseUntilMs;
  }

  limit(nowMs: number): number {
    return nowMs < this.#limitUntilMs ? this.#limit : Infinity;
  }

  /** `outOfOrder`: an older query is unanswered. */
  answered(count: number, outOfOrder: boolean): void {
    if (outOfOrder) this.concurrent = true;
    if (count < 2) return;
    this.reusable = true;
    this.#earlyEnds = 0;
    this.#unserved = 0;
  }

  /** Silence means nothing yet. */
  isSlow(nowMs: number): boolean {
    return nowMs < this.#slowUntilMs;
  }

  answeredLate(nowMs: number): void {
    if (nowMs >= this.#limitUntilMs) return;
    this.#limitUntilMs = -Infinity;
    this.#slowUntilMs = nowMs + BELIEVE_MS.limit;
  }

  answeredOnlyFresh(nowMs: number): void {
    if (++this.#unserved < UNSERVED) return;
    this.reusable = false;
    this.believeSingleUse(nowMs);
  }

  silentAfterAnswers(): void {
    this.reusable = false;
  }

  believeLimit(connections: number, nowMs: number): void {
    this.#limit = Math.max(1, connections);
    this.#limitUntilMs = nowMs + BELIEVE_MS.limit;
  }

  believeSingleUse(nowMs: number): void {
    this.#singleUseUntilMs = nowMs + BELIEVE_MS.singleUse;
  }

  /** With waiting queries; `served` others work. */
  ended(answers: number, served: number, nowMs: number): void {
    if (answers === 0 && served > 0) this.believeLimit(served, nowMs);
    const early = answers === 1 && !this.reusable;
    if (early && ++this.#earlyEnds >= EARLY_ENDS) this.believeSingleUse(nowMs);
  }
}
