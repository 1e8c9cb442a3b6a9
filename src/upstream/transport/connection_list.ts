import type { Connection } from "./connection.ts";
import type { ConnectionHabits } from "./habits.ts";

/** To one server, last used last. */
export class ConnectionList {
  /** Read only. */
  readonly all: Connection[] = [];
  readonly #clock: { readonly nowMs: number };
  readonly #habits: ConnectionHabits;
  readonly #patienceMs: () => number;

  constructor(
    clock: { readonly nowMs: number },
    habits: ConnectionHabits,
    patienceMs: () => number,
  ) {
    this.#clock = clock;
    this.#habits = habits;
    this.#patienceMs = patienceMs;
  }

  add(connection: Connection): void {
    this.all.push(connection);
  }

  remove(connection: Connection): boolean {
    const index = this.all.indexOf(connection);
    if (index >= 0) this.all.splice(index, 1);
    return index >= 0;
  }

  touch(connection: Connection): void {
    if (this.all.at(-1) !== connection && this.remove(connection)) this.all.push(connection);
  }

  get handshakes(): number {
    let count = 0;
    for (const { readyMs } of this.all) if (readyMs === Infinity) count++;
    return count;
  }

  /** Its oldest query is late, or a concurrent server is silent. */
  isLate(connection: Connection): boolean {
    return this.#clock.nowMs >= this.#lateMs(connection);
  }

  #lateMs({ waitingSinceMs, lastDataMs }: Connection): number {
    const sinceMs = this.#habits.concurrent ? Math.max(waitingSinceMs, lastDataMs) : waitingSinceMs;
    return sinceMs + this.#patienceMs();
  }

  latest(): Connection | null {
    let latest: Connection | null = null;
    for (const connection of this.all) {
      if (connection.readyMs === Infinity || !this.isLate(connection)) continue;
      if (latest === null || connection.waitingSinceMs < latest.waitingSinceMs) latest = connection;
    }
    return latest;
  }

  /** Have answered, or may yet in time. */
  served(): number {
    let count = 0;
    for (const connection of this.all) {
      if (!connection.closing && (connection.answers > 0 || !this.isLate(connection))) count++;
    }
    return count;
  }

  /** Next late connection; usual time if queries wait or all are late. */
  nextCheckMs(queriesWait: boolean): number {
    const { nowMs } = this.#clock;
    const usualMs = nowMs + this.#patienceMs();
    let dueMs = queriesWait ? usualMs : Infinity;
    for (const connection of this.all) {
      if (connection.unanswered === 0) continue;
      dueMs = Math.min(dueMs, usualMs);
      const lateMs = this.#lateMs(connection);
      if (lateMs > nowMs && lateMs < dueMs) dueMs = lateMs;
    }
    return dueMs;
  }
}
