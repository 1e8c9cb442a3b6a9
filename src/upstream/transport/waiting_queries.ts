import type { Outgoing } from "./outgoing.ts";

/** Queries that wait for a connection, in each of the two lines. */
export const MAX_WAITING = 4096;

/** Queries to one server without a connection: those that are next, and slow ones behind them. */
export class WaitingQueries {
  readonly #next: Outgoing[] = [];
  /** Late queries that made room for others. */
  readonly #slow: Outgoing[] = [];

  /** No query waits. */
  get empty(): boolean {
    return this.#next.length + this.#slow.length === 0;
  }

  /** Queries that wait, slow ones not counted. */
  get size(): number {
    return this.#next.length;
  }

  /** No further slow query may wait. */
  get slowFull(): boolean {
    return this.#slow.length >= MAX_WAITING;
  }

  /** Appends a query, which no connection carries any more. */
  add(query: Outgoing, slow = false): void {
    query.carrier = null;
    query.queued = true;
    (slow ? this.#slow : this.#next).push(query);
  }

  /** Takes the query that is first in line; there must be one. */
  shift(): Outgoing {
    const query = (this.#next.shift() ?? this.#slow.shift())!;
    query.queued = false;
    return query;
  }

  /** Removes a query, if it waits. */
  delete(query: Outgoing): void {
    if (!query.queued) return;
    query.queued = false;
    for (const line of [this.#next, this.#slow]) {
      const place = line.indexOf(query);
      if (place >= 0) line.splice(place, 1);
    }
  }
}
