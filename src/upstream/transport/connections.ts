import type { EngineServices } from "../../engine/handler.ts";
import type { Timer } from "../../engine/timers.ts";
import { Connection, type ConnectionEnd, type ConnectionOwner } from "./connection.ts";
import { ConnectionList } from "./connection_list.ts";
import { ConnectionHabits } from "./habits.ts";
import { ConnectionPlaces, type PlaceHolder } from "./places.ts";
import type { Outgoing, TransportFailure } from "./outgoing.ts";
import { BUSY, CANNOT_CONNECT, CROWDED, UNREAD } from "./connections_options.ts";
import type { ConnectionsOptions } from "./connections_options.ts";
import { MAX_WAITING, WaitingQueries } from "./waiting_queries.ts";

/** Queries that share a connection: before another is opened, and at most. */
const SHARED = { preferred: 64, max: 2048 } as const;
/** Queries on one connection to a server that is not known to answer out of order. */
const MAX_IN_ORDER = 4;
/** Connections that are closing beside those in use. */
const MAX_CLOSING = 64;
/** Connections reach their age up to this much sooner, so that they are not all renewed at once. */
const AGE_JITTER = 0.2;
/** How often one query may be sent again because of its connection. */
const MAX_MOVES = 8;
/** Time after which a connection is closed whose server still works on what nobody waits for. */
const STALLED_MS = 2000;

/**
 * The connections to one server, and which of them carries a query.
 *
 * Many servers answer one query after the other on each connection, so a slow name holds up whatever
 * is behind it. Therefore:
 *
 * - A query goes on a connection with nothing outstanding; failing that, on a new one.
 * - Queries share a connection only with a server that has answered out of order, or once all
 *   connections are in use; never behind a query that is late.
 * - Once all connections are in use, a late query makes room for others, and is sent again last.
 * - A query that is stuck behind a late one is sent again elsewhere; so is one on a connection whose
 *   server takes no second query, or does not serve it at all, as soon as that can be told.
 *
 * `ConnectionHabits` keeps what the server was found to do.
 */
export class Connections implements ConnectionOwner, PlaceHolder {
  readonly #engine: EngineServices;
  readonly #options: ConnectionsOptions;
  readonly #habits: ConnectionHabits;
  readonly #places: ConnectionPlaces;
  readonly #watch: Timer;
  readonly #connections: ConnectionList;
  readonly #waiting = new WaitingQueries();
  #retired = false;
  #dispatching = false;

  constructor(engine: EngineServices, options: ConnectionsOptions) {
    this.#engine = engine;
    this.#options = options;
    // The streams of HTTP/2 are concurrent by nature.
    this.#habits = new ConnectionHabits((options.endpoint.tls?.http ?? null) !== null);
    this.#connections = new ConnectionList({
      clock: engine,
      habits: this.#habits,
      patienceMs: () => options.patienceMs(),
    });
    this.#places = ConnectionPlaces.of(engine);
    this.#watch = engine.timers.create((nowMs) => this.#checkLate(nowMs));
  }

  /** Open connections. */
  get size(): number {
    return this.#connections.size;
  }

  /** Sends a query, now or as soon as a connection is free; returns why it cannot be, or null. */
  send(query: Outgoing): TransportFailure | null {
    query.begin(this.#engine.nowMs);
    return this.#send(query);
  }

  /** Forgets a query: it was answered elsewhere, or (`late`) its time is up. */
  cancel(query: Outgoing, late: boolean): void {
    const connection = query.carrier as Connection | null;
    const before = query.movedFrom as Connection | null;
    query.carrier = null;
    query.movedFrom = null;
    before?.abandon(query);
    if (connection === null) {
      this.#waiting.delete(query);
      return;
    }
    connection.abandon(query);
    // A connection that is still being made has a limit of its own.
    if (!late || connection.readyMs === Infinity) return;
    const silent = connection.lastDataMs < query.sentMs;
    if (silent && connection.answers > 0) this.#habits.silent();
    // A server that answers in order is still at work on it; one that has sent nothing is gone.
    if (connection.live === 0 && (silent || !this.#habits.concurrent)) connection.close();
  }

  /** Since when the reply to a query may be expected, in monotonic milliseconds; else Infinity. */
  sinceMs({ carrier, sentMs }: Outgoing): number {
    return carrier === null ? Infinity : Math.max(sentMs, carrier.readyMs);
  }

  /** Closes every connection as soon as nobody waits for an answer on it. */
  retire(): void {
    this.#retired = true;
    for (const connection of this.#connections.copy()) connection.retire();
  }

  answered(connection: Connection, query: Outgoing | null, outOfOrder: boolean): void {
    if (query !== null) this.#conclude(query, connection);
    else if (connection.answers === 1) this.#habits.servedLate(this.#engine.nowMs);
    this.#habits.answered(connection.answers, outOfOrder);
    if (connection.unanswered === 0) {
      const { maxIdle } = this.#options;
      const surplus = maxIdle > 0 && this.#connections.size > maxIdle;
      if (this.#retired || surplus || this.#singleUse) {
        connection.retire();
      } else {
        this.#connections.touch(connection);
        this.#places.addIdle(connection, this);
      }
    }
    this.#dispatch();
  }

  unsent(connection: Connection, query: Outgoing): void {
    // A call about another query may have closed it.
    const idle = connection.unanswered === 0 && !connection.closing;
    if (idle) this.#places.addIdle(connection, this);
    if (!query.leave(connection)) query.handler.failed(BUSY);
  }

  mismatched(): void {
    this.#options.mismatched();
  }

  gone(
    connection: Connection,
    queries: readonly Outgoing[],
    { byServer, why }: ConnectionEnd,
  ): void {
    this.#places.deleteIdle(connection);
    this.#connections.remove(connection);
    this.#places.changed(this);
    if (byServer && queries.length > 0) {
      this.#habits.ended(connection.answers, this.#connections.served(), this.#engine.nowMs);
    }
    for (const query of queries) {
      if (query.carrier !== connection) {
        query.movedFrom = null;
        continue;
      }
      query.carrier = null;
      // A server may close (RFC 7766 section 6.2.4): no fault if it serves, or had more ahead of it.
      const again = connection.answers > 0 || query !== queries[0] ||
        this.#connections.served() > 0;
      if (again && query.moves++ < MAX_MOVES && this.#send(query) === null) continue;
      query.handler.failed({ kind: "broken", why: why ?? "connection closed" });
    }
    this.#dispatch();
  }

  get #singleUse(): boolean {
    return this.#habits.isSingleUse(this.#engine.nowMs);
  }

  #send(query: Outgoing): TransportFailure | null {
    const connection = this.#waiting.size === 0 ? this.#pick() ?? this.#reclaim() : null;
    if (connection !== null) return this.#give(query, connection);
    if (this.#connections.size === 0) return CANNOT_CONNECT;
    if (this.#waiting.size >= MAX_WAITING) return CROWDED;
    this.#waiting.add(query);
    this.#startWatch();
    return null;
  }

  /** Returns why the connection does not carry the query, or null. */
  #give(query: Outgoing, connection: Connection): TransportFailure | null {
    const failure = connection.send(query);
    if (failure === UNREAD) connection.close(UNREAD.why);
    if (failure !== null) return failure;
    this.#places.deleteIdle(connection);
    this.#connections.touch(connection);
    this.#startWatch();
    return null;
  }

  /** Hands what waits to connections that have come free. */
  #dispatch(): void {
    if (this.#dispatching) return;
    this.#dispatching = true;
    this.#dispatchEach();
    this.#dispatching = false;
  }

  #dispatchEach(): void {
    while (!this.#waiting.empty) {
      // A slow query makes no other one late.
      const reclaims = this.#waiting.size > 0;
      const connection = this.#pick() ?? (reclaims ? this.#reclaim() : null);
      if (connection === null && this.#connections.size > 0) return;
      const query = this.#waiting.shift();
      const failure = connection === null ? CANNOT_CONNECT : this.#give(query, connection);
      if (failure !== null) query.handler.failed(failure);
    }
  }

  /** The connection for the next query, opened if need be; null where it has to wait. */
  #pick(except: Connection | null = null): Connection | null {
    const { count } = this.#options;
    const singleUse = this.#singleUse;
    const { all } = this.#connections;
    let shared: Connection | null = null;
    let inUse = 0;
    for (let i = all.length - 1; i >= 0; i--) {
      const connection = all[i]!;
      if (connection.closing) continue;
      inUse++;
      if (connection === except || (singleUse && connection.answers > 0)) continue;
      if (connection.unanswered === 0) {
        count(true);
        return connection;
      }
      if (this.#connections.isLate(connection)) continue;
      if (shared === null || connection.unanswered < shared.unanswered) shared = connection;
    }
    const shares = shared !== null && this.#habits.concurrent;
    const opened = shares && shared!.unanswered < SHARED.preferred ? null : this.#open(inUse);
    if (opened !== null) {
      count(false);
      return opened;
    }
    const most = singleUse ? 1 : this.#habits.concurrent ? SHARED.max : MAX_IN_ORDER;
    if (shared === null || shared.unanswered >= most) return null;
    count(true);
    return shared;
  }

  #open(inUse: number): Connection | null {
    const { max, maxHandshakes, idleMs, maxAgeMs, endpoint } = this.#options;
    const { nowMs } = this.#engine;
    if (
      inUse >= Math.min(max, this.#habits.limit(nowMs)) ||
      this.#connections.size >= max + MAX_CLOSING ||
      (maxHandshakes < max && Connection.countHandshakes(this.#connections.all) >= maxHandshakes)
    ) return null;
    const youth = 1 - AGE_JITTER * (this.#engine.random() / 2 ** 32);
    const oldMs = maxAgeMs === 0 ? Infinity : nowMs + maxAgeMs * youth;
    const connection = new Connection(this.#engine, this, { idleMs, oldMs });
    if (!connection.open(endpoint) && !(this.#places.makeRoom(this) && connection.open(endpoint))) {
      return null;
    }
    this.#connections.add(connection);
    this.#places.changed(this);
    return connection;
  }

  /** Puts the query that is latest of all back in the queue, and a new connection in its place. */
  #reclaim(): Connection | null {
    if (this.#retired) return null;
    const latest = this.#connections.latest();
    if (latest === null || this.#waiting.slowFull) return null;
    this.#vacate(latest, true);
    return this.#pick();
  }

  giveUpOne(): void {
    // The query sent last has waited least; its connection is the last one.
    this.#vacate(this.#connections.all.at(-1)!, false);
    this.#startWatch();
  }

  /** Queues what waits on a connection, and closes it: its place is for another query. */
  #vacate(connection: Connection, slow: boolean): void {
    for (const [place, query] of connection.waiting()) {
      if (query.carrier !== connection) continue;
      query.reclaimed = slow && place === 0 && connection.answers > 0;
      connection.abandon(query);
      this.#waiting.add(query, slow);
    }
    const dispatching = this.#dispatching;
    this.#dispatching = true;
    connection.close();
    this.#dispatching = dispatching;
  }

  #startWatch(): void {
    if (this.#watch.index >= 0) return;
    const { timers, nowMs } = this.#engine;
    timers.set(this.#watch, nowMs + this.#options.patienceMs());
  }

  /**
   * Wakes when the next connection will be late; if all are late or queries wait for a connection, in
   * the usual time.
   */
  #rearmWatch(nowMs: number): void {
    const lateMs = this.#connections.nextLateMs();
    const usualMs = this.#waiting.empty ? Infinity : nowMs + this.#options.patienceMs();
    const dueMs = Math.min(lateMs, usualMs);
    if (dueMs < Infinity) this.#engine.timers.set(this.#watch, dueMs);
  }

  /** Sends again elsewhere what is stuck. */
  #checkLate(nowMs: number): void {
    for (const connection of this.#connections.copy()) {
      if (!this.#connections.isLate(connection)) continue;
      if (connection.live === 0) {
        if (nowMs - connection.waitingSinceMs >= STALLED_MS) connection.close();
        continue;
      }
      for (const [place, query] of connection.waiting()) {
        if (query.carrier !== connection) continue;
        const stuck = place === 0 ? !this.#isServed(connection) : !this.#habits.concurrent;
        if (stuck) this.#move(query, connection, place === 0);
      }
    }
    this.#dispatch();
    this.#rearmWatch(nowMs);
  }

  /** Whether the query first in line on a connection will be answered, be it late. */
  #isServed(connection: Connection): boolean {
    // The server may take no further query on a connection.
    if (connection.answers > 0) return this.#habits.reusable;
    // Or no further connection; one that it does serve must be free to tell.
    return this.#habits.servesLate(this.#engine.nowMs) ||
      !this.#connections.all.some(({ answers, unanswered, closing }) =>
        answers > 0 && unanswered === 0 && !closing
      );
  }

  /** Sends a query again on another connection; whichever brings the answer first will do. */
  #move(query: Outgoing, from: Connection, wasFirst: boolean): void {
    if (query.moves >= MAX_MOVES) return;
    // Once tells enough; a name that nobody answers would take one connection after the other.
    if (wasFirst && query.movedFrom !== null) return;
    const to = this.#pick(from);
    if (to === null && wasFirst) return;
    query.moves++;
    (query.movedFrom as Connection | null)?.abandon(query);
    query.movedFrom = from;
    query.wasFirst = wasFirst;
    if (to === null) {
      this.#waiting.add(query);
      return;
    }
    const failure = this.#give(query, to);
    // It still waits where it was.
    if (failure === BUSY) query.movedFrom = null;
    else if (failure !== null) query.handler.failed(failure);
  }

  /** A query was answered by `connection`: nobody waits for it on the other one. */
  #conclude(query: Outgoing, connection: Connection): void {
    const { carrier, movedFrom, wasFirst } = query;
    query.carrier = null;
    query.movedFrom = null;
    // An answer may be told of before the connection that it came by.
    if (connection.readyMs < Infinity) query.sentMs = Math.max(query.sentMs, connection.readyMs);
    const tookMs = this.#engine.nowMs - query.sentMs;
    // Beyond that it is just a slow name.
    const usual = tookMs <= this.#options.patienceMs();
    if (query.reclaimed && connection.answers === 1 && usual) {
      this.#habits.unserved(this.#engine.nowMs);
    }
    if (carrier === null) {
      this.#waiting.delete(query);
    } else if (carrier !== connection) {
      (carrier as Connection).abandon(query);
    } else if (movedFrom !== null) {
      const from = movedFrom as Connection;
      if (wasFirst) this.#learnFromMove(from);
      from.abandon(query);
    }
  }

  /** The query that a connection owes first was answered by another: is this one not served? */
  #learnFromMove(from: Connection): void {
    if (from.closing || (from.answers > 0 && this.#habits.reusable)) return;
    const { nowMs } = this.#engine;
    if (from.answers === 0) {
      this.#habits.servesOnly(this.#connections.served(), nowMs);
      this.#leaveUnserved();
    } else {
      this.#habits.answersOne(nowMs);
      if (from.live === 1) from.close();
    }
  }

  /**
   * The server does not serve all connections: what waits on such is sent again on others. They stay
   * for a while, since an answer would show that the server is only slow.
   */
  #leaveUnserved(): void {
    for (const connection of this.#connections.copy()) {
      if (connection.answers > 0 || !this.#connections.isLate(connection)) continue;
      for (const [_, query] of connection.waiting()) {
        if (query.carrier !== connection || query.moves >= MAX_MOVES) continue;
        connection.abandon(query);
        query.moves++;
        this.#waiting.add(query);
      }
    }
  }
}
