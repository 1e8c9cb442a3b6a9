const BELIEVE_MS = { singleUse: 600_000, limit: 60_000 } as const;
/** Connections in a row that the server closed after one answer, with a query waiting. */
const EARLY_ENDS = 2;
/** Queries in a row that a used connection left unanswered and a fresh one answered in time. */
const UNSERVED = 4;

/** How one server treats connections. Refusals are believed only for a while. */
export class ConnectionHabits {
  /** Read only. */
  concurrent: boolean;
  /** It has answered a second query on a connection. Read only. */
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

  /** The `count`th answer on a connection; `outOfOrder` if an older query is unanswered. */
  answered(count: number, outOfOrder: boolean): void {
    if (outOfOrder) this.concurrent = true;
    if (count < 2) return;
    this.reusable = true;
    this.#earlyEnds = 0;
    this.#unserved = 0;
  }

  /** Silence on a connection means nothing yet. */
  servesLate(nowMs: number): boolean {
    return nowMs < this.#slowUntilMs;
  }

  /** A first answer arrived when it was no longer needed. */
  servedLate(nowMs: number): void {
    if (nowMs >= this.#limitUntilMs) return;
    this.#limitUntilMs = -Infinity;
    this.#slowUntilMs = nowMs + BELIEVE_MS.limit;
  }

  /** A fresh connection answered in time what a used one had not. */
  unserved(nowMs: number): void {
    if (++this.#unserved < UNSERVED) return;
    this.reusable = false;
    this.answersOne(nowMs);
  }

  /** A used connection fell silent. */
  silent(): void {
    this.reusable = false;
  }

  servesOnly(connections: number, nowMs: number): void {
    this.#limit = Math.max(1, connections);
    this.#limitUntilMs = nowMs + BELIEVE_MS.limit;
  }

  answersOne(nowMs: number): void {
    this.#singleUseUntilMs = nowMs + BELIEVE_MS.singleUse;
  }

  /** A connection with waiting queries closed after `answers`, while `served` others work. */
  ended(answers: number, served: number, nowMs: number): void {
    if (answers === 0 && served > 0) this.servesOnly(served, nowMs);
    const early = answers === 1 && !this.reusable;
    if (early && ++this.#earlyEnds >= EARLY_ENDS) this.answersOne(nowMs);
  }
}
