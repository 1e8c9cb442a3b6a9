import type { Connection } from "./connection.ts";
import type { ConnectionHabits } from "./habits.ts";

/** What a list needs to tell late connections. */
export interface LatenessOptions {
  readonly clock: { readonly nowMs: number };
  readonly habits: ConnectionHabits;
  /** Time within which nearly all replies come. */
  patienceMs(): number;
}

/** The connections to one server, open or being opened, the last used one last. */
export class ConnectionList {
  /** For reading only. */
  readonly all: Connection[] = [];
  readonly #options: LatenessOptions;

  constructor(options: LatenessOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.all.length;
  }

  add(connection: Connection): void {
    this.all.push(connection);
  }

  remove(connection: Connection): void {
    const place = this.all.indexOf(connection);
    if (place >= 0) this.all.splice(place, 1);
  }

  /** Moves a connection to the end, where the next query looks first. */
  touch(connection: Connection): void {
    const last = this.all.length - 1;
    const place = this.all.indexOf(connection);
    if (place < 0 || place === last) return;
    this.all.splice(place, 1);
    this.all.push(connection);
  }

  /** All of them, for loops that may close some. */
  copy(): Connection[] {
    return [...this.all];
  }

  /**
   * Whether the query that the server works on takes longer than usual; or, on a server that works on
   * many, whether nothing at all comes from it.
   */
  isLate(connection: Connection): boolean {
    return this.#options.clock.nowMs >= this.lateMs(connection);
  }

  /** When a connection counts as late, in monotonic milliseconds; Infinity if it owes nothing. */
  lateMs({ waitingSinceMs, lastDataMs }: Connection): number {
    const { habits } = this.#options;
    const sinceMs = habits.concurrent ? Math.max(waitingSinceMs, lastDataMs) : waitingSinceMs;
    return sinceMs + this.#options.patienceMs();
  }

  /** The connection with the query that is latest of all, or null. */
  latest(): Connection | null {
    let latest: Connection | null = null;
    for (const connection of this.all) {
      if (connection.readyMs === Infinity || !this.isLate(connection)) continue;
      if (latest === null || connection.waitingSinceMs < latest.waitingSinceMs) latest = connection;
    }
    return latest;
  }

  /** How many the server has answered on, or may still answer on in time. */
  served(): number {
    let count = 0;
    for (const connection of this.all) {
      if (!connection.closing && (connection.answers > 0 || !this.isLate(connection))) count++;
    }
    return count;
  }

  /**
   * When the next connection will be late, in monotonic milliseconds, but no later than in the usual
   * time; Infinity if none owes anything.
   */
  nextLateMs(): number {
    const { nowMs } = this.#options.clock;
    let dueMs = Infinity;
    for (const connection of this.all) {
      if (connection.unanswered === 0) continue;
      dueMs = Math.min(dueMs, nowMs + this.#options.patienceMs());
      const lateMs = this.lateMs(connection);
      if (lateMs > nowMs && lateMs < dueMs) dueMs = lateMs;
    }
    return dueMs;
  }
}
