import type { EngineServices } from "../../engine/handler.ts";
import type { Endpoint } from "../../engine/io.ts";
import type { Timer } from "../../engine/timers.ts";
import type { GroupSettings } from "../options.ts";
import { Connection, type ConnectionEnd, type ConnectionOwner } from "./connection.ts";
import { ConnectionList } from "./connection_list.ts";
import { ConnectionHabits } from "./habits.ts";
import { FAILURE, type Outgoing, type TransportFailure } from "./outgoing.ts";
import { ConnectionSlots, type SlotHolder } from "./slots.ts";

/** Per connection: before another, and at most. */
const SHARED = { preferred: 64, max: 2048 } as const;
const MAX_IN_ORDER = 4;
const MAX_CLOSING = 64;
/** Spreads renewals. */
const AGE_JITTER = 0.2;
const MAX_MOVES = 8;
/** With only abandoned queries. */
const STALLED_MS = 2000;
/** Per queue. */
const MAX_WAITING = 4096;

type Limits = Pick<GroupSettings, "maxIdleConns" | "expireMs" | "maxAgeMs">;

/** Options of `Connections`. */
export interface ConnectionsOptions extends Limits {
  endpoint: Endpoint;
  max: number;
  maxHandshakes: number;
  patienceMs: () => number;
  count: (found: boolean) => void;
  mismatched: () => void;
}

/**
 * Connections to one server. Many answer in order, so slow names delay the rest:
 *
 * - A query uses an idle connection, or else a new one.
 * - Connections are shared only if the server answers out of order or all are in use; never behind
 *   a late query.
 * - Once all are in use, late queries make room and are resent last.
 * - Stuck queries are resent elsewhere: behind a late one, on a connection limited to one query, or
 *   on an unserved one.
 */
export class Connections implements ConnectionOwner, SlotHolder {
  readonly mismatched: () => void;
  readonly #engine: EngineServices;
  readonly #options: ConnectionsOptions;
  readonly #habits: ConnectionHabits;
  readonly #slots: ConnectionSlots;
  readonly #watch: Timer;
  readonly #connections: ConnectionList;
  readonly #waiting = new Set<Outgoing>();
  /** They made room; sent last. */
  readonly #slow = new Set<Outgoing>();
  #retired = false;
  #dispatching = false;

  constructor(engine: EngineServices, options: ConnectionsOptions) {
    this.#engine = engine;
    this.#options = options;
    this.mismatched = options.mismatched;
    // HTTP/2 streams are concurrent.
    this.#habits = new ConnectionHabits((options.endpoint.tls?.http ?? null) !== null);
    this.#connections = new ConnectionList(engine, this.#habits, options.patienceMs);
    this.#slots = ConnectionSlots.of(engine);
    this.#watch = engine.timers.create((nowMs) => this.#checkLate(nowMs));
  }

  get habits(): ConnectionHabits {
    return this.#habits;
  }

  get size(): number {
    return this.#connections.all.length;
  }

  send(query: Outgoing): TransportFailure | null {
    query.begin(this.#engine.nowMs);
    return this.#send(query);
  }

  cancel(query: Outgoing, late: boolean): void {
    const connection = query.carrier as Connection | null;
    const before = query.movedFrom as Connection | null;
    query.carrier = null;
    query.movedFrom = null;
    before?.abandon(query);
    if (connection === null) {
      this.#unqueue(query);
      return;
    }
    connection.abandon(query);
    // Connecting has its own limit.
    if (!late || connection.readyMs === Infinity) return;
    const silent = connection.lastDataMs < query.sentMs;
    if (silent && connection.answers > 0) this.#habits.silentAfterAnswers();
    // Servers that answer in order still work on it.
    if (connection.live === 0 && (silent || !this.#habits.concurrent)) connection.close();
  }

  retire(): void {
    this.#retired = true;
    for (const connection of [...this.#connections.all]) connection.retire();
  }

  answered(connection: Connection, query: Outgoing | null, outOfOrder: boolean): void {
    if (query !== null) this.#conclude(query, connection);
    else if (connection.answers === 1) this.#habits.answeredLate(this.#engine.nowMs);
    this.#habits.answered(connection.answers, outOfOrder);
    if (connection.unanswered === 0) {
      const { maxIdleConns } = this.#options;
      const surplus = maxIdleConns > 0 && this.size > maxIdleConns;
      if (this.#retired || surplus || this.#singleUse) {
        connection.retire();
      } else {
        this.#connections.touch(connection);
        this.#slots.idle.set(connection, this);
      }
    }
    this.#dispatch();
  }

  unsent(connection: Connection, query: Outgoing): void {
    // An earlier query may have closed it.
    const idle = connection.unanswered === 0 && !connection.closing;
    if (idle) this.#slots.idle.set(connection, this);
    if (!query.leave(connection)) query.handler.failed(FAILURE.BUSY);
  }

  gone(connection: Connection, queries: readonly Outgoing[], end: ConnectionEnd): void {
    this.#slots.idle.delete(connection);
    this.#connections.remove(connection);
    this.#slots.changed(this);
    if (end.byServer && queries.length > 0) {
      this.#habits.ended(connection.answers, this.#connections.served(), this.#engine.nowMs);
    }
    for (const query of queries) {
      if (query.carrier !== connection) {
        query.movedFrom = null;
        continue;
      }
      query.carrier = null;
      // No fault if others work (RFC 7766 section 6.2.4), or for later queries.
      const again = connection.answers > 0 || query !== queries[0] ||
        this.#connections.served() > 0;
      if (again && query.moves++ < MAX_MOVES && this.#send(query) === null) continue;
      query.handler.failed({ kind: "broken", why: end.why ?? "connection closed" });
    }
    this.#dispatch();
  }

  /** Frees the last used one, whose queries waited least. */
  freeOne(): void {
    this.#vacate(this.#connections.all.at(-1)!, false);
    this.#startWatch();
  }

  get #singleUse(): boolean {
    return this.#habits.isSingleUse(this.#engine.nowMs);
  }

  #send(query: Outgoing): TransportFailure | null {
    const connection = this.#waiting.size === 0 ? this.#pick() ?? this.#reclaim() : null;
    if (connection !== null) return this.#give(query, connection);
    if (this.size === 0) return FAILURE.CANNOT_CONNECT;
    if (this.#waiting.size >= MAX_WAITING) return FAILURE.CROWDED;
    this.#queue(query);
    this.#startWatch();
    return null;
  }

  #queue(query: Outgoing, slow = false): void {
    query.carrier = null;
    (slow ? this.#slow : this.#waiting).add(query);
  }

  #unqueue(query: Outgoing): void {
    this.#waiting.delete(query);
    this.#slow.delete(query);
  }

  #give(query: Outgoing, connection: Connection): TransportFailure | null {
    const failure = connection.send(query);
    if (failure === FAILURE.UNREAD) connection.close(failure.why);
    if (failure !== null) return failure;
    this.#slots.idle.delete(connection);
    this.#connections.touch(connection);
    this.#startWatch();
    return null;
  }

  #dispatch(): void {
    if (this.#dispatching) return;
    this.#dispatching = true;
    while (this.#waiting.size + this.#slow.size > 0) {
      // Slow queries must not displace each other.
      const reclaims = this.#waiting.size > 0;
      const connection = this.#pick() ?? (reclaims ? this.#reclaim() : null);
      if (connection === null && this.size > 0) break;
      const [query] = (this.#waiting.size > 0 ? this.#waiting : this.#slow) as Set<Outgoing>;
      this.#unqueue(query!);
      const failure = connection ? this.#give(query!, connection) : FAILURE.CANNOT_CONNECT;
      if (failure !== null) query!.handler.failed(failure);
    }
    this.#dispatching = false;
  }

  #pick(except: Connection | null = null): Connection | null {
    const { count } = this.#options;
    const { all } = this.#connections;
    const { concurrent } = this.#habits;
    const singleUse = this.#singleUse;
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
    const shares = concurrent && shared !== null && shared.unanswered < SHARED.preferred;
    const opened = shares ? null : this.#open(inUse);
    if (opened !== null) {
      count(false);
      return opened;
    }
    const most = singleUse ? 1 : concurrent ? SHARED.max : MAX_IN_ORDER;
    if (shared === null || shared.unanswered >= most) return null;
    count(true);
    return shared;
  }

  #open(inUse: number): Connection | null {
    const { max, maxHandshakes, expireMs: idleMs, maxAgeMs, endpoint } = this.#options;
    const { nowMs } = this.#engine;
    if (
      inUse >= Math.min(max, this.#habits.limit(nowMs)) || this.size >= max + MAX_CLOSING ||
      (maxHandshakes < max && this.#connections.handshakes >= maxHandshakes)
    ) return null;
    const youth = 1 - AGE_JITTER * (this.#engine.random() / 2 ** 32);
    const oldMs = maxAgeMs === 0 ? Infinity : nowMs + maxAgeMs * youth;
    const connection = new Connection(this.#engine, this, { idleMs, oldMs });
    if (!connection.open(endpoint) && !(this.#slots.makeRoom(this) && connection.open(endpoint))) {
      return null;
    }
    this.#connections.add(connection);
    this.#slots.changed(this);
    return connection;
  }

  /** Requeues the latest query. */
  #reclaim(): Connection | null {
    if (this.#retired) return null;
    const latest = this.#connections.latest();
    if (latest === null || this.#slow.size >= MAX_WAITING) return null;
    this.#vacate(latest, true);
    return this.#pick();
  }

  #vacate(connection: Connection, slow: boolean): void {
    for (const [position, query] of connection.waiting()) {
      if (query.carrier !== connection) continue;
      query.reclaimed = slow && position === 0 && connection.answers > 0;
      connection.abandon(query);
      this.#queue(query, slow);
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

  #checkLate(nowMs: number): void {
    for (const connection of [...this.#connections.all]) {
      if (!this.#connections.isLate(connection)) continue;
      if (connection.live === 0) {
        if (nowMs - connection.waitingSinceMs >= STALLED_MS) connection.close();
        continue;
      }
      for (const [position, query] of connection.waiting()) {
        if (query.carrier !== connection) continue;
        const first = position === 0;
        const stuck = first ? !this.#isServed(connection) : !this.#habits.concurrent;
        if (stuck) this.#move(query, connection, first);
      }
    }
    this.#dispatch();
    const dueMs = this.#connections.nextCheckMs(this.#waiting.size + this.#slow.size > 0);
    if (dueMs < Infinity) this.#engine.timers.set(this.#watch, dueMs);
  }

  /** Its oldest query will be answered. */
  #isServed(connection: Connection): boolean {
    // The server may limit connections to one query.
    if (connection.answers > 0) return this.#habits.reusable;
    // Or limit connections; only an idle served one can tell.
    return this.#habits.isSlow(this.#engine.nowMs) ||
      !this.#connections.all.some(({ answers, unanswered, closing }) =>
        answers > 0 && unanswered === 0 && !closing
      );
  }

  #move(query: Outgoing, from: Connection, wasFirst: boolean): void {
    if (query.moves >= MAX_MOVES) return;
    // Once only: an unanswered name would use up every connection.
    if (wasFirst && query.movedFrom !== null) return;
    const to = this.#pick(from);
    if (to === null && wasFirst) return;
    query.moves++;
    (query.movedFrom as Connection | null)?.abandon(query);
    query.movedFrom = from;
    query.wasFirst = wasFirst;
    if (to === null) {
      this.#queue(query);
      return;
    }
    const failure = this.#give(query, to);
    // It still waits on the first connection.
    if (failure === FAILURE.BUSY) query.movedFrom = null;
    else if (failure !== null) query.handler.failed(failure);
  }

  #conclude(query: Outgoing, connection: Connection): void {
    const { nowMs } = this.#engine;
    const { carrier, movedFrom, wasFirst } = query;
    query.carrier = null;
    query.movedFrom = null;
    // An answer may precede the event.
    if (connection.readyMs < Infinity) query.sentMs = Math.max(query.sentMs, connection.readyMs);
    // Longer: a slow name.
    const usual = nowMs - query.sentMs <= this.#options.patienceMs();
    if (query.reclaimed && connection.answers === 1 && usual) this.#habits.answeredOnlyFresh(nowMs);
    if (carrier === null) {
      this.#unqueue(query);
    } else if (carrier !== connection) {
      (carrier as Connection).abandon(query);
    } else if (movedFrom !== null) {
      const from = movedFrom as Connection;
      if (wasFirst) this.#learnFromMove(from);
      from.abandon(query);
    }
  }

  /** Its oldest query was answered elsewhere. */
  #learnFromMove(from: Connection): void {
    if (from.closing || (from.answers > 0 && this.#habits.reusable)) return;
    const { nowMs } = this.#engine;
    if (from.answers > 0) {
      this.#habits.believeSingleUse(nowMs);
      if (from.live === 1) from.close();
      return;
    }
    this.#habits.believeLimit(this.#connections.served(), nowMs);
    // Keep unserved connections for a while: an answer would mean that the server is only slow.
    for (const connection of [...this.#connections.all]) {
      if (connection.answers > 0 || !this.#connections.isLate(connection)) continue;
      for (const [_, query] of connection.waiting()) {
        if (query.carrier !== connection || query.moves >= MAX_MOVES) continue;
        connection.abandon(query);
        query.moves++;
        this.#queue(query);
      }
    }
  }
}
