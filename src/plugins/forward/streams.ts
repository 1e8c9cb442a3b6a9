import { HEADER_SIZE, MAX_MESSAGE_SIZE } from "../../dns/constants.ts";
import { MAX_RECORDS } from "../../dns/response_scan.ts";
import { COUNTER } from "../../engine/counters.ts";
import type { EngineServices } from "../../engine/handler.ts";
import { Memory } from "../../engine/memory.ts";
import type { Timer } from "../../engine/timers.ts";
import type { Endpoint, Io, StreamHandler } from "../../io/contract.ts";
import type { ForwardOptions } from "./options.ts";

/** Queries that one connection carries before another is opened, and that it carries at most. */
const PIPELINE = { preferred: 64, max: 2048 } as const;
/** Connections to one upstream; enough for 10,000 queries/s at 10 ms each. */
const MAX_CONNECTIONS = 4;
/** Bytes that may wait for an upstream that does not read. */
const MAX_QUEUED = 262_144;
/** Connections in all, those too old for new queries included. */
const MAX_OPEN = 2 * MAX_CONNECTIONS;
/** TLS takes more steps than TCP, and the upstream's cryptography. */
const CONNECT_TIMEOUT_MS = { plain: 1000, tls: 3000 } as const;
/** Connections reach their age up to this much sooner, so that they are not all renewed at once. */
const AGE_JITTER = 0.2;

/** A query that waits for its answer on a stream. */
export interface StreamQuery {
  /** The answer, at offset 0 of `memory`, which has room for tables behind. */
  answered(memory: Memory, length: number): void;
  /** Whether this message answers the query; its id does. */
  matches(memory: Memory, length: number): boolean;
  /**
   * The stream broke before the answer came.
   *
   * @param why - for the operator, where it is known
   * @param answeredMs - when the last answer came by it, in monotonic milliseconds, or -Infinity
   */
  broken(why: string | undefined, answeredMs: number): void;
}

/** Where whole messages are put for their queries; one for all streams. */
let message: Memory | null = null;

/** The few TCP or TLS connections to one upstream, shared by all queries (RFC 7766 section 6.2.1). */
export class UpstreamStreams {
  readonly #endpoint: Endpoint;
  readonly #options: ForwardOptions;
  readonly #engine: EngineServices;
  readonly #streams: UpstreamStream[] = [];

  readonly #hits: number;
  readonly #misses: number;

  /** @param to - name of the upstream in labels */
  constructor(endpoint: Endpoint, options: ForwardOptions, engine: EngineServices, to: string) {
    this.#endpoint = endpoint;
    this.#options = options;
    this.#engine = engine;
    const labels = { proxy_name: "forward", to, proto: endpoint.tls === null ? "tcp" : "tcp-tls" };
    this.#hits = engine.counter("coredns_proxy_conn_cache_hits_total", labels);
    this.#misses = engine.counter("coredns_proxy_conn_cache_misses_total", labels);
  }

  /** Open connections. */
  get size(): number {
    return this.#streams.length;
  }

  /**
   * Sends a query; its id is replaced by one that is free on the connection.
   *
   * @returns the connection's number for `cancel`, or null when no connection takes it
   */
  ask(query: StreamQuery, packet: Memory, offset: number, length: number): UpstreamStream | null {
    let best: UpstreamStream | null = null;
    let young = 0;
    for (const stream of this.#streams) {
      if (stream.old) continue;
      young++;
      if (best === null || stream.outstanding < best.outstanding) best = stream;
    }
    const known = best;
    if (best === null || (best.outstanding >= PIPELINE.preferred && young < MAX_CONNECTIONS)) {
      const opened = this.#streams.length < MAX_OPEN ? this.#open() : null;
      if (opened !== null) best = opened;
    }
    if (best === null || best.outstanding >= PIPELINE.max) return null;
    if (best.stuck) {
      best.close("the upstream does not read");
      return null;
    }
    this.#engine.values[best === known ? this.#hits : this.#misses]!++;
    best.ask(query, packet, offset, length);
    return best;
  }

  /** Closes every connection as soon as nothing is outstanding on it. */
  retire(): void {
    for (const stream of [...this.#streams]) stream.retire();
  }

  #open(): UpstreamStream | null {
    const { expireMs, maxAgeMs, maxIdleConns } = this.#options;
    const youth = 1 - AGE_JITTER * (this.#engine.random() / 2 ** 32);
    const stream = new UpstreamStream(this.#engine, {
      expireMs,
      maxIdle: maxIdleConns,
      oldMs: maxAgeMs === 0 ? Infinity : this.#engine.nowMs + maxAgeMs * youth,
      all: this.#streams,
    });
    if (!stream.open(this.#endpoint)) return null;
    this.#streams.push(stream);
    return stream;
  }
}

/** One connection: queries go out as they come, answers come back in any order. */
export class UpstreamStream implements StreamHandler {
  readonly #engine: EngineServices;
  readonly #io: Io;
  readonly #shared: { expireMs: number; maxIdle: number; oldMs: number; all: UpstreamStream[] };
  readonly #queries = new Map<number, StreamQuery>();
  readonly #timer: Timer;
  readonly #frame = new Memory(2048);
  #id = -1;
  #connected = false;
  #readyMs = Infinity;
  #gone = false;
  #partial: Uint8Array | null = null;
  #partialLength = 0;
  #lastUsedMs = 0;
  #lastDataMs = -Infinity;
  /** When the last answer came by it. */
  #answeredMs = -Infinity;
  #retired = false;

  constructor(
    engine: EngineServices,
    shared: { expireMs: number; maxIdle: number; oldMs: number; all: UpstreamStream[] },
  ) {
    this.#engine = engine;
    this.#io = engine.io;
    this.#shared = shared;
    this.#timer = engine.timers.create((nowMs) => this.#tick(nowMs));
  }

  /** Queries that wait for an answer. */
  get outstanding(): number {
    return this.#queries.size;
  }

  /** When the connection came to stand, in monotonic milliseconds; Infinity until it does. */
  get readyMs(): number {
    return this.#readyMs;
  }

  /** The peer takes nothing of what is sent. */
  get stuck(): boolean {
    return this.#io.queued(this.#id) > MAX_QUEUED;
  }

  /** It takes no new queries. */
  get old(): boolean {
    return this.#retired || this.#engine.nowMs >= this.#shared.oldMs;
  }

  /** Begins to connect; what is asked meanwhile is sent as soon as the connection stands. */
  open(endpoint: Endpoint): boolean {
    this.#id = this.#io.connect(endpoint, this);
    if (this.#id < 0) return false;
    const limitMs = endpoint.tls === null ? CONNECT_TIMEOUT_MS.plain : CONNECT_TIMEOUT_MS.tls;
    this.#engine.timers.set(this.#timer, this.#engine.nowMs + limitMs);
    return true;
  }

  /** Sends a query under an id that no other one here has. */
  ask(query: StreamQuery, packet: Memory, offset: number, length: number): void {
    let id = this.#engine.random() & 0xffff;
    while (this.#queries.has(id)) id = (id + 1) & 0xffff;
    this.#queries.set(id, query);
    const { bytes, view } = this.#frame;
    view.setUint16(0, length);
    for (let i = 0; i < length; i++) bytes[2 + i] = packet.bytes[offset + i]!;
    view.setUint16(2, id);
    this.#lastUsedMs = this.#engine.nowMs;
    this.#io.write(this.#id, this.#frame, 0, length + 2);
  }

  /** Forgets a query; a late answer to it is passed over. */
  cancel(query: StreamQuery): void {
    for (const [id, other] of this.#queries) {
      if (other === query) {
        this.#queries.delete(id);
        return;
      }
    }
  }

  /** Takes no new queries, and closes once nothing is outstanding. */
  retire(): void {
    this.#retired = true;
    if (this.#queries.size === 0) this.close();
    else if (this.#connected) this.#setTimer(this.#engine.nowMs);
  }

  /** Closes the connection where nothing at all has come since then: the peer is gone. */
  suspect(sinceMs: number): void {
    if (this.#connected && this.#lastDataMs < sinceMs) this.close();
  }

  connected(): void {
    this.#connected = true;
    this.#readyMs = this.#engine.nowMs;
    this.#lastUsedMs = this.#engine.nowMs;
    this.#setTimer(this.#engine.nowMs);
  }

  data(memory: Memory, offset: number, length: number): void {
    this.#lastDataMs = this.#engine.nowMs;
    let bytes: Uint8Array = memory.bytes;
    let at = offset;
    let end = offset + length;
    if (this.#partial !== null) {
      this.#append(memory.bytes, offset, length);
      bytes = this.#partial;
      at = 0;
      end = this.#partialLength;
    }
    while (at + 2 <= end && !this.#gone) {
      const size = (bytes[at]! << 8) | bytes[at + 1]!;
      if (at + 2 + size > end) break;
      this.#deliver(bytes, at + 2, size);
      at += 2 + size;
    }
    if (this.#gone) return;
    if (at === end) {
      this.#partial = null;
      this.#partialLength = 0;
    } else if (this.#partial === null) {
      this.#append(bytes, at, end - at);
    } else {
      this.#partial.copyWithin(0, at, end);
      this.#partialLength = end - at;
    }
  }

  ended(): void {
    this.close();
  }

  closed(why?: string): void {
    this.#forget(why);
  }

  /** Closes the connection; queries that wait are told. */
  close(why?: string): void {
    if (this.#gone) return;
    this.#io.close(this.#id);
    this.#forget(why);
  }

  #deliver(bytes: Uint8Array, at: number, size: number): void {
    const id = (bytes[at]! << 8) | bytes[at + 1]!;
    const query = size < HEADER_SIZE ? undefined : this.#queries.get(id);
    if (query === undefined) {
      this.#engine.values[COUNTER.UNEXPECTED_TCP]!++;
      return;
    }
    const whole = message ??= new Memory(MAX_MESSAGE_SIZE + 1 + 2 * MAX_RECORDS);
    whole.bytes.set(bytes.subarray(at, at + size));
    if (!query.matches(whole, size)) return;
    this.#queries.delete(id);
    this.#lastUsedMs = this.#engine.nowMs;
    this.#answeredMs = this.#engine.nowMs;
    query.answered(whole, size);
  }

  #append(bytes: Uint8Array, offset: number, length: number): void {
    const total = this.#partialLength + length;
    if (this.#partial === null || this.#partial.length < total) {
      const larger = new Uint8Array(Math.max(4096, 2 * total));
      if (this.#partial !== null) larger.set(this.#partial.subarray(0, this.#partialLength));
      this.#partial = larger;
    }
    this.#partial.set(bytes.subarray(offset, offset + length), this.#partialLength);
    this.#partialLength = total;
  }

  #tick(nowMs: number): void {
    const { expireMs, maxIdle, all } = this.#shared;
    if (!this.#connected) {
      this.close("connecting took too long");
      return;
    }
    const idle = this.#queries.size === 0;
    const surplus = maxIdle > 0 && all.length > maxIdle;
    if (idle && (surplus || this.old || nowMs >= this.#lastUsedMs + expireMs)) this.close();
    else this.#setTimer(nowMs);
  }

  /** Looks again when it may be idle for too long, or old. */
  #setTimer(nowMs: number): void {
    const { expireMs, oldMs } = this.#shared;
    const dueMs = this.old ? 0 : Math.min(this.#lastUsedMs + expireMs, oldMs);
    this.#engine.timers.set(this.#timer, Math.max(dueMs, nowMs + 100));
  }

  #forget(why?: string): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#engine.timers.clear(this.#timer);
    const { all } = this.#shared;
    const place = all.indexOf(this);
    if (place >= 0) all.splice(place, 1);
    const waiting = [...this.#queries.values()];
    this.#queries.clear();
    for (const query of waiting) query.broken(why, this.#answeredMs);
  }
}
