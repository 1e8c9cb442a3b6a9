/** How long it is believed that a server takes one query a connection, and so many connections. */
const BELIEVE_MS = { singleUse: 600_000, limit: 60_000 } as const;
/** Connections in a row that the server ended behind their first answer, with a query waiting. */
const EARLY_ENDS = 2;
/** Queries in a row that a used connection did not answer, and a fresh one did in the usual time. */
const UNSERVED = 4;

/**
 * Learns how one server treats connections. A refusal is believed for a while only, in
 * case it has changed its ways.
 */
export class ConnectionHabits {
  #concurrent: boolean;
  #reusable = false;
  #singleUseUntilMs = -Infinity;
  #earlyEnds = 0;
  #unserved = 0;
  #slowUntilMs = -Infinity;
  #limit = Infinity;
  #limitUntilMs = -Infinity;

  /** @param concurrent - it is known to answer out of order */
  constructor(concurrent: boolean) {
    this.#concurrent = concurrent;
  }

  /** It answers out of order, so queries may share connections. */
  get concurrent(): boolean {
    return this.#concurrent;
  }

  /** It has answered a second query on a connection, and is not known to have stopped doing so. */
  get reusable(): boolean {
    return this.#reusable;
  }

  /** Whether each connection is to be used for one query alone. */
  isSingleUse(nowMs: number): boolean {
    return nowMs < this.#singleUseUntilMs;
  }

  /** Connections that it serves at a time. */
  limit(nowMs: number): number {
    return nowMs < this.#limitUntilMs ? this.#limit : Infinity;
  }

  /** It answered: the `count`th query of a connection, with an earlier one unanswered or not. */
  answered(count: number, outOfOrder: boolean): void {
    if (outOfOrder) this.#concurrent = true;
    if (count < 2) return;
    this.#reusable = true;
    this.#earlyEnds = 0;
    this.#unserved = 0;
  }

  /** It serves connections late, so that a silent one says nothing yet. */
  servesLate(nowMs: number): boolean {
    return nowMs < this.#slowUntilMs;
  }

  /** The first answer on a connection came when nobody waited for it any more. */
  servedLate(nowMs: number): void {
    if (nowMs >= this.#limitUntilMs) return;
    this.#limitUntilMs = -Infinity;
    this.#slowUntilMs = nowMs + BELIEVE_MS.limit;
  }

  /** A fresh connection answered, in the usual time, what a used one had not. */
  unserved(nowMs: number): void {
    if (++this.#unserved < UNSERVED) return;
    this.#reusable = false;
    this.answersOne(nowMs);
  }

  /** A connection that had served before went silent. */
  silent(): void {
    this.#reusable = false;
  }

  /** It serves no more than so many connections. */
  servesOnly(connections: number, nowMs: number): void {
    this.#limit = Math.max(1, connections);
    this.#limitUntilMs = nowMs + BELIEVE_MS.limit;
  }

  /** It answers one query a connection. */
  answersOne(nowMs: number): void {
    this.#singleUseUntilMs = nowMs + BELIEVE_MS.singleUse;
  }

  /**
   * It ended a connection on which queries waited, after so many answers, while it served so many
   * others.
   */
  ended(answers: number, served: number, nowMs: number): void {
    if (answers === 0 && served > 0) this.servesOnly(served, nowMs);
    const early = answers === 1 && !this.#reusable;
    if (early && ++this.#earlyEnds >= EARLY_ENDS) this.answersOne(nowMs);
  }
}
