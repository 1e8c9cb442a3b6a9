import { HEADER_SIZE, MAX_MESSAGE_SIZE } from "../../dns/constants.ts";
import { MAX_RECORDS } from "../../dns/response_scan.ts";
import { COUNTER } from "../../engine/counters.ts";
import type { EngineServices } from "../../engine/handler.ts";
import type { Endpoint, StreamHandler } from "../../engine/io.ts";
import { Memory } from "../../engine/memory.ts";
import { PendingFrames } from "../../engine/pending_frames.ts";
import type { Timer } from "../../engine/timers.ts";
import { type Carrier, FAILURE, MATCH, type Outgoing, type TransportFailure } from "./outgoing.ts";

/** Queued bytes that mean a stuck connection. */
const MAX_QUEUED = 262_144;
/** TLS needs more round trips. */
const CONNECT_TIMEOUT_MS = { plain: 1000, tls: 3000 } as const;
const MAX_STRAYS = 16;
/** Of busy connections that should close. */
const LINGER_MS = 100;
/** Larger than any query. */
const FRAME_SIZE = 2048;

/** Owner of connections. */
export interface ConnectionOwner {
  /** Null: abandoned; `outOfOrder`: an older one is unanswered. */
  answered?(connection: Connection, query: Outgoing | null, outOfOrder: boolean): void;
  unsent(connection: Connection, query: Outgoing): void;
  mismatched?(): void;
  /** `queries` excludes abandoned ones. */
  gone(connection: Connection, queries: readonly Outgoing[], end: ConnectionEnd): void;
}

/** Result of a closed connection. */
export interface ConnectionEnd {
  byServer: boolean;
  why: string | undefined;
}

interface Lifetime {
  idleMs: number;
  /** Then it gets no new queries. */
  oldMs: number;
}

/** Shared by all connections. */
let whole: Memory | null = null;
let frame: Memory | null = null;

/** TCP or TLS (RFC 7766). Abandoned queries stay, as null: the server may still work on them. */
export class Connection implements StreamHandler, Carrier {
  readonly #engine: EngineServices;
  readonly #owner: ConnectionOwner;
  readonly #life: Lifetime;
  readonly #timer: Timer;
  /** Oldest first; null for abandoned ones. */
  readonly #sent = new Map<number, Outgoing | null>();
  readonly #pending: PendingFrames;
  #state: "connecting" | "open" | "closed" = "connecting";
  #stream = -1;
  #openedMs = 0;
  #lastUsedMs = 0;
  #oldestMs = Infinity;
  #retired = false;
  #strays = 0;

  // Read only.
  /** Monotonic milliseconds; Infinity until established. */
  readyMs = Infinity;
  lastDataMs = -Infinity;
  answers = 0;
  /** Neither answered nor abandoned. */
  live = 0;

  constructor(engine: EngineServices, owner: ConnectionOwner, life: Lifetime) {
    this.#engine = engine;
    this.#owner = owner;
    this.#life = life;
    this.#pending = new PendingFrames(engine.buffers);
    this.#timer = engine.timers.create((nowMs) => this.#tick(nowMs));
  }

  /** False if connecting fails at once. */
  open(endpoint: Endpoint): boolean {
    this.#stream = this.#engine.io.connect(endpoint, this);
    if (this.#stream < 0) return false;
    const limitMs = endpoint.tls === null ? CONNECT_TIMEOUT_MS.plain : CONNECT_TIMEOUT_MS.tls;
    this.#openedMs = this.#engine.nowMs;
    this.#engine.timers.set(this.#timer, this.#openedMs + limitMs);
    return true;
  }

  /** Includes abandoned queries. */
  get unanswered(): number {
    return this.#sent.size;
  }

  get closing(): boolean {
    return this.#retired || this.#state === "closed" || this.#engine.nowMs >= this.#life.oldMs;
  }

  /** The oldest unanswered query's, or Infinity. */
  get waitingSinceMs(): number {
    if (this.#sent.size === 0) return Infinity;
    if (this.#state === "connecting") return this.#openedMs;
    return Math.max(this.#oldestMs, this.readyMs);
  }

  send(query: Outgoing): TransportFailure | null {
    const { io, nowMs } = this.#engine;
    if (io.queued(this.#stream) > MAX_QUEUED) return FAILURE.UNREAD;
    if (this.#state === "open" && !this.#hasRoom(query)) return FAILURE.BUSY;
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

  /** The answer may still arrive. */
  abandon(query: Outgoing): void {
    let id = query.carrierId;
    if (this.#sent.get(id) !== query) {
      // The id is another connection's.
      id = -1;
      for (const [other, sent] of this.#sent) if (sent === query) id = other;
      if (id < 0) return;
    }
    this.live--;
    if (this.#state === "open") this.#sent.set(id, null);
    else this.#sent.delete(id);
  }

  *waiting(): Generator<[position: number, query: Outgoing]> {
    let position = 0;
    for (const query of [...this.#sent.values()]) {
      if (query !== null) yield [position, query];
      position++;
    }
  }

  retire(): void {
    this.#retired = true;
    if (this.live === 0) this.close();
  }

  close(why?: string, abrupt = false): void {
    if (this.#state === "closed") return;
    this.#engine.io.close(this.#stream, abrupt);
    this.#end({ byServer: false, why });
  }

  connected(): void {
    const { nowMs } = this.#engine;
    this.#state = "open";
    this.readyMs = nowMs;
    this.#lastUsedMs = nowMs;
    this.#setTimer(nowMs);
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
    this.lastDataMs = this.#engine.nowMs;
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
    if (!this.#isOpen) return;
    this.#engine.io.close(this.#stream);
    this.closed();
  }

  closed(why?: string): void {
    this.#end({ byServer: true, why });
  }

  /** Counts waiting queries. */
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

  get #isOpen(): boolean {
    return this.#state !== "closed";
  }

  #deliverFrames({ bytes }: Memory, offset: number, length: number): number {
    const end = offset + length;
    let at = offset;
    // Delivery may close the connection.
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
    if (query === undefined || query === null) {
      this.#engine.values[COUNTER.UNEXPECTED_TCP]!++;
      if (query === null) this.#answered(id, null);
      else this.#countStray();
      return;
    }
    const memory = whole ??= new Memory(MAX_MESSAGE_SIZE + 1 + 2 * MAX_RECORDS);
    memory.bytes.set(bytes.subarray(at, at + size));
    const match = query.compare(memory, size);
    if (match === MATCH.OTHER) {
      this.#owner.mismatched?.();
      this.#countStray();
      return;
    }
    query.misspelt = match === MATCH.MISSPELT;
    this.live--;
    this.#answered(id, query);
    query.handler.replied(memory, size);
  }

  #countStray(): void {
    if (++this.#strays >= MAX_STRAYS) this.close("it sends unexpected messages", true);
  }

  #answered(id: number, query: Outgoing | null): void {
    const { nowMs } = this.#engine;
    const outOfOrder = this.#sent.keys().next().value !== id;
    this.#sent.delete(id);
    this.answers++;
    this.#lastUsedMs = nowMs;
    // Abandoned queries have no time: count from now.
    const oldest = this.#sent.values().next().value;
    this.#oldestMs = oldest === undefined ? Infinity : oldest?.sentMs ?? nowMs;
    this.#owner.answered?.(this, query, outOfOrder);
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

  #setTimer(nowMs: number): void {
    const { idleMs, oldMs } = this.#life;
    const dueMs = this.closing ? 0 : Math.min(this.#lastUsedMs + idleMs, oldMs);
    this.#engine.timers.set(this.#timer, Math.max(dueMs, nowMs + LINGER_MS));
  }

  #end(end: ConnectionEnd): void {
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
