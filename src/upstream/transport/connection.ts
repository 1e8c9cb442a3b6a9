import { HEADER_SIZE, MAX_MESSAGE_SIZE } from "../../dns/constants.ts";
import { MAX_RECORDS } from "../../dns/response_scan.ts";
import { COUNTER } from "../../engine/counters.ts";
import type { EngineServices } from "../../engine/handler.ts";
import { Memory } from "../../engine/memory.ts";
import { PendingFrames } from "../../engine/pending_frames.ts";
import type { Timer } from "../../engine/timers.ts";
import type { Endpoint, StreamHandler } from "../../engine/io.ts";
import { BUSY, UNREAD } from "./connections_options.ts";
import { type Carrier, MATCH, type Outgoing, type TransportFailure } from "./outgoing.ts";

/** Bytes that may wait for a server that does not read; more closes the connection. */
const MAX_QUEUED = 262_144;
/** Time to connect. TLS takes more steps than TCP, and the server's cryptography. */
const CONNECT_TIMEOUT_MS = { plain: 1000, tls: 3000 } as const;
/** Messages that nobody asked for, after which the connection is closed. */
const MAX_STRAYS = 16;
/** How soon a connection is looked at again that is due to close but still carries queries. */
const LINGER_MS = 100;

/** Who keeps connections, and is told what becomes of them. */
export interface ConnectionOwner {
  /**
   * A query was answered, or null if nobody waits for it any more; `outOfOrder` if one that was sent
   * before it is not.
   */
  answered(connection: Connection, query: Outgoing | null, outOfOrder: boolean): void;
  /** A query that was to be sent once the connection is established cannot be. */
  unsent(connection: Connection, query: Outgoing): void;
  /** A message came under a query's id that does not answer it. */
  mismatched(): void;
  /** The connection is gone, and with it what it carried; `end` tells who ended it, and why. */
  gone(connection: Connection, queries: readonly Outgoing[], end: ConnectionEnd): void;
}

/** The end of a connection. */
export interface ConnectionEnd {
  byServer: boolean;
  /** For the operator, where it is known. */
  why: string | undefined;
}

/** How long a connection lives. */
export interface Lifetime {
  /** Closed after this time without a query; milliseconds. */
  idleMs: number;
  /** Takes no new query from then on, in monotonic milliseconds. */
  oldMs: number;
}

/** Where whole messages are put for their queries, and queries in frames; one for all connections. */
let whole: Memory | null = null;
let frame: Memory | null = null;
/** More than a query of any size takes. */
const FRAME_SIZE = 2048;

/**
 * One TCP or TLS connection to a server (RFC 7766): frames out, frames in, matched by id.
 *
 * Queries are kept in the order in which they were sent. One whose asker gave up stays as an empty
 * place, because a server that answers in order still works on it.
 */
export class Connection implements StreamHandler, Carrier {
  readonly #engine: EngineServices;
  readonly #owner: ConnectionOwner;
  readonly #life: Lifetime;
  readonly #timer: Timer;
  /** Unanswered queries by id, oldest first; null where nobody waits any more. */
  readonly #sent = new Map<number, Outgoing | null>();
  #state: "connecting" | "open" | "closed" = "connecting";
  #stream = -1;
  #openedMs = 0;
  #readyMs = Infinity;
  #lastUsedMs = 0;
  #lastDataMs = -Infinity;
  #oldestMs = Infinity;
  #retired = false;
  readonly #pending: PendingFrames;
  #strays = 0;

  /** Queries answered so far. */
  answers = 0;
  /** Queries that somebody waits for. */
  live = 0;

  /** How many of these are being set up. */
  static countHandshakes(connections: readonly Connection[]): number {
    let count = 0;
    for (const { readyMs } of connections) if (readyMs === Infinity) count++;
    return count;
  }

  constructor(engine: EngineServices, owner: ConnectionOwner, life: Lifetime) {
    this.#engine = engine;
    this.#owner = owner;
    this.#life = life;
    this.#pending = new PendingFrames(engine.buffers);
    this.#timer = engine.timers.create((nowMs) => this.#tick(nowMs));
  }

  /** Begins to connect; queries handed over meanwhile are sent once it is established. */
  open(endpoint: Endpoint): boolean {
    this.#stream = this.#engine.io.connect(endpoint, this);
    if (this.#stream < 0) return false;
    const limitMs = endpoint.tls === null ? CONNECT_TIMEOUT_MS.plain : CONNECT_TIMEOUT_MS.tls;
    this.#openedMs = this.#engine.nowMs;
    this.#engine.timers.set(this.#timer, this.#openedMs + limitMs);
    return true;
  }

  get readyMs(): number {
    return this.#readyMs;
  }

  /** Queries that the server has not answered, with or without somebody who waits. */
  get unanswered(): number {
    return this.#sent.size;
  }

  /** It takes no new query. */
  get closing(): boolean {
    return this.#retired || this.#state === "closed" ||
      this.#engine.nowMs >= this.#life.oldMs;
  }

  /**
   * Since when the oldest unanswered query has waited for the server, in monotonic milliseconds;
   * Infinity where none does. Before the connection is established, since it was begun.
   */
  get waitingSinceMs(): number {
    if (this.#sent.size === 0) return Infinity;
    if (this.#state === "connecting") return this.#openedMs;
    return Math.max(this.#oldestMs, this.#readyMs);
  }

  /** When the server last sent anything, in monotonic milliseconds. */
  get lastDataMs(): number {
    return this.#lastDataMs;
  }

  /**
   * Sends a query under an id that no other one here has, once the connection is established.
   *
   * @returns null, or why it cannot be: `UNREAD` if the server does not read
   */
  send(query: Outgoing): TransportFailure | null {
    const { io, nowMs } = this.#engine;
    if (io.queued(this.#stream) > MAX_QUEUED) return UNREAD;
    if (this.#state === "open" && !this.#hasRoom(query)) return BUSY;
    let id = this.#engine.random() & 0xffff;
    while (this.#sent.has(id)) id = (id + 1) & 0xffff;
    if (this.#sent.size === 0) this.#oldestMs = nowMs;
    this.#sent.set(id, query);
    this.live++;
    query.carrier = this;
    query.carrierId = id;
    query.sentMs = nowMs;
    this.#lastUsedMs = nowMs;
    if (this.#state === "open") this.#write(id, query);
    return null;
  }

  /** Nobody waits for this query here any more; the server still owes the answer. */
  abandon(query: Outgoing): void {
    let id = query.carrierId;
    if (this.#sent.get(id) !== query) {
      // It was sent again on another connection, under another id.
      id = -1;
      for (const [other, sent] of this.#sent) if (sent === query) id = other;
      if (id < 0) return;
    }
    this.live--;
    if (this.#state === "open") this.#sent.set(id, null);
    else this.#sent.delete(id);
  }

  /** Queries that somebody waits for, by their place: 0 is the one sent first. */
  *waiting(): Generator<[place: number, query: Outgoing]> {
    let place = 0;
    for (const query of [...this.#sent.values()]) {
      if (query !== null) yield [place, query];
      place++;
    }
  }

  /** Takes no new query, and closes once nobody waits for an answer. */
  retire(): void {
    this.#retired = true;
    if (this.live === 0) this.close();
  }

  /** Closes the connection, at once for what the server has done (`abrupt`); its owner is told. */
  close(why?: string, abrupt = false): void {
    if (this.#state === "closed") return;
    this.#engine.io.close(this.#stream, abrupt);
    this.#forget({ byServer: false, why });
  }

  connected(): void {
    this.#state = "open";
    this.#readyMs = this.#engine.nowMs;
    this.#lastUsedMs = this.#engine.nowMs;
    this.#setTimer(this.#engine.nowMs);
    const unsent: Outgoing[] = [];
    for (const [id, query] of this.#sent) {
      if (query === null) continue;
      if (this.#hasRoom(query)) this.#write(id, query);
      else {
        this.#sent.delete(id);
        this.live--;
        unsent.push(query);
      }
    }
    for (const query of unsent) this.#owner.unsent(this, query);
  }

  data(memory: Memory, offset: number, length: number): void {
    this.#lastDataMs = this.#engine.nowMs;
    const pending = this.#pending;
    if (pending.memory === null) {
      const used = this.#deliverFrames(memory, offset, length);
      if (used < length && this.#isOpen) pending.append(memory, offset + used, length - used);
    } else {
      pending.append(memory, offset, length);
      const used = this.#deliverFrames(pending.memory, 0, pending.length);
      if (this.#isOpen) pending.consume(used);
    }
  }

  ended(): void {
    if (this.#state === "closed") return;
    this.#engine.io.close(this.#stream);
    this.#forget({ byServer: true, why: undefined });
  }

  closed(why?: string): void {
    this.#forget({ byServer: true, why });
  }

  /** Whether a query can be written now; counts one that cannot. */
  #hasRoom({ length }: Outgoing): boolean {
    const { io, values } = this.#engine;
    if (io.hasRoom?.(this.#stream, length + 2) !== false) return true;
    values[COUNTER.TLS_UNSENT]!++;
    return false;
  }

  #write(id: number, query: Outgoing): void {
    const { bytes, view } = frame ??= new Memory(FRAME_SIZE);
    view.setUint16(0, query.length);
    for (let i = 0; i < query.length; i++) bytes[2 + i] = query.packet.bytes[i]!;
    view.setUint16(2, id);
    this.#engine.io.write(this.#stream, frame, 0, query.length + 2);
  }

  /** Not closed: what is delivered may close it. */
  get #isOpen(): boolean {
    return this.#state !== "closed";
  }

  /** Delivers whole frames, and returns how many bytes they took. */
  #deliverFrames({ bytes }: Memory, offset: number, length: number): number {
    const end = offset + length;
    let at = offset;
    while (at + 2 <= end && this.#isOpen) {
      const size = (bytes[at]! << 8) | bytes[at + 1]!;
      if (at + 2 + size > end) break;
      this.#deliver(bytes, at + 2, size);
      at += 2 + size;
    }
    return at - offset;
  }

  #deliver(bytes: Uint8Array, at: number, size: number): void {
    const id = (bytes[at]! << 8) | bytes[at + 1]!;
    const query = size < HEADER_SIZE ? undefined : this.#sent.get(id);
    if (query === undefined) {
      this.#stray();
      return;
    }
    if (query === null) {
      this.#engine.values[COUNTER.UNEXPECTED_TCP]!++;
      this.#answered(id, null);
      return;
    }
    const memory = whole ??= new Memory(MAX_MESSAGE_SIZE + 1 + 2 * MAX_RECORDS);
    memory.bytes.set(bytes.subarray(at, at + size));
    const match = query.compare(memory, size);
    if (match === MATCH.OTHER) {
      this.#owner.mismatched();
      this.#countStray();
      return;
    }
    query.misspelt = match === MATCH.MISSPELT;
    this.live--;
    this.#answered(id, query);
    query.handler.replied(memory, size);
  }

  #stray(): void {
    this.#engine.values[COUNTER.UNEXPECTED_TCP]!++;
    this.#countStray();
  }

  #countStray(): void {
    if (++this.#strays >= MAX_STRAYS) this.close("it sends what nobody asked for", true);
  }

  #answered(id: number, query: Outgoing | null): void {
    const outOfOrder = this.#sent.keys().next().value !== id;
    this.#sent.delete(id);
    this.#oldestMs = Infinity;
    this.answers++;
    this.#lastUsedMs = this.#engine.nowMs;
    // The time of a place that nobody waits at is not kept: it counts from now on.
    const oldest = this.#sent.values().next().value;
    if (oldest !== undefined) this.#oldestMs = oldest === null ? this.#engine.nowMs : oldest.sentMs;
    this.#owner.answered(this, query, outOfOrder);
  }

  #tick(nowMs: number): void {
    if (this.#state === "connecting") {
      this.close("connecting took too long");
      return;
    }
    const done = this.closing || nowMs >= this.#lastUsedMs + this.#life.idleMs;
    if (this.live === 0 && done) this.close();
    else this.#setTimer(nowMs);
  }

  /** Looks again when it may have been idle for too long, or is old. */
  #setTimer(nowMs: number): void {
    const { idleMs, oldMs } = this.#life;
    const dueMs = this.closing ? 0 : Math.min(this.#lastUsedMs + idleMs, oldMs);
    this.#engine.timers.set(this.#timer, Math.max(dueMs, nowMs + LINGER_MS));
  }

  #forget(end: ConnectionEnd): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#pending.clear();
    this.#engine.timers.clear(this.#timer);
    const queries = [...this.waiting()].map(([_, query]) => query);
    this.#sent.clear();
    this.live = 0;
    this.#owner.gone(this, queries, end);
  }
}
