import { CLASS, FLAG, HEADER_SIZE, TYPE } from "../../dns/constants.ts";
import { parseName } from "../../dns/name.ts";
import type { EngineServices } from "../../engine/handler.ts";
import type { Endpoint } from "../../engine/io.ts";
import type { Timer } from "../../engine/timers.ts";
import type { GroupSettings } from "../options.ts";
import { Connection, type ConnectionEnd, type ConnectionOwner } from "../transport/connection.ts";
import {
  FAILURE,
  Outgoing,
  type TransportFailure,
  type TransportHandler,
} from "../transport/outgoing.ts";
import { UdpQuery } from "../transport/udp.ts";

/** CoreDNS's limit. */
const TIMEOUT_MS = 1000;
/** Lower bound of `health_check`. */
const MIN_INTERVAL_MS = 100;
/** Desynchronizes nodes. */
const JITTER = 0.25;
/** Recovery time and first share. */
const RAMP_MS = 5000;
const FIRST_SHARE = 0.1;

const SILENCE = { why: "i/o timeout" } as const;

/** A server to check. */
export interface CheckedServer {
  readonly endpoint: Endpoint;
  readonly roundTrip: { sample(durationMs: number, nowMs: number): void };
  checked(durationMs: number): void;
  checkFailed(why: string): void;
}

/**
 * Circuit breaker. After a failed query a server is *suspect*: avoided while others are healthy,
 * and checked until any reply. `maxFails` failed checks in a row mean *down*. After recovery,
 * queries return gradually. Checks use separate connections: slow names would delay them.
 */
export class Health implements TransportHandler, ConnectionOwner {
  readonly #server: CheckedServer;
  readonly #engine: EngineServices;
  readonly #settings: GroupSettings;
  readonly #query = new Outgoing(this);
  readonly #udp: UdpQuery;
  readonly #timer: Timer;
  #fails = 0;
  /** Read only. */
  suspect = false;
  /** An operator vouches for it. */
  trusted = false;
  /** Of this state. Read only. */
  sinceMs: number;
  #stopped = false;
  #recoveredMs = -Infinity;
  #checking = false;
  #connection: Connection | null = null;
  #sentMs = 0;

  constructor(server: CheckedServer, settings: GroupSettings, engine: EngineServices) {
    this.#server = server;
    this.#engine = engine;
    this.sinceMs = engine.nowMs;
    this.#settings = settings;
    this.#udp = new UdpQuery(this.#query, engine);
    this.#timer = engine.timers.create(() => this.#checking ? this.failed() : this.#check());
    const { bytes, view } = this.#query.packet;
    const { domain, recursionDesired } = settings.healthCheck;
    const name = parseName(domain);
    view.setUint16(2, recursionDesired ? FLAG.RD : 0);
    view.setUint16(4, 1);
    bytes.set(name, HEADER_SIZE);
    view.setUint16(HEADER_SIZE + name.length, TYPE.NS);
    view.setUint16(HEADER_SIZE + name.length + 2, CLASS.IN);
    this.#query.questionLength = name.length + 4;
    this.#query.length = HEADER_SIZE + name.length + 4;
  }

  get state(): "up" | "suspect" | "down" {
    return !this.suspect ? "up" : this.down ? "down" : "suspect";
  }

  get down(): boolean {
    const { maxFails } = this.#settings;
    return maxFails > 0 && this.#fails >= maxFails;
  }

  get share(): number {
    if (this.trusted) return 1;
    const part = (this.#engine.nowMs - this.#recoveredMs) / RAMP_MS;
    return part >= 1 ? 1 : FIRST_SHARE + (1 - FIRST_SHARE) * part;
  }

  fail(): void {
    if (this.suspect || this.#stopped || this.#settings.maxFails === 0) return;
    this.suspect = true;
    this.sinceMs = this.#engine.nowMs;
    this.#cancelCheck();
    this.#check();
  }

  heard(): void {
    if (!this.suspect) return;
    if (this.#fails > 0) this.#recoveredMs = this.#engine.nowMs;
    this.#fails = 0;
    this.suspect = false;
    this.sinceMs = this.#engine.nowMs;
    this.#cancelCheck();
    this.#engine.timers.clear(this.#timer);
  }

  measure(): void {
    if (!this.suspect && !this.#stopped && !this.#checking) this.#check();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelCheck();
    this.#connection?.close();
    this.#engine.timers.clear(this.#timer);
  }

  /** Any reply counts, as in CoreDNS. */
  replied(): void {
    const readyMs = this.#connection?.readyMs ?? Infinity;
    const sinceMs = readyMs < Infinity ? Math.max(readyMs, this.#sentMs) : this.#sentMs;
    this.#checking = false;
    this.#udp.cancel();
    this.#engine.timers.clear(this.#timer);
    this.#server.checked(this.#engine.nowMs - sinceMs);
  }

  failed({ why }: Pick<TransportFailure, "why"> = SILENCE): void {
    this.#cancelCheck();
    if (!this.suspect) {
      this.#engine.timers.clear(this.#timer);
      this.#server.roundTrip.sample(TIMEOUT_MS, this.#engine.nowMs);
      this.fail();
      return;
    }
    this.#fails++;
    if (this.#fails === this.#settings.maxFails) this.sinceMs = this.#engine.nowMs;
    this.#server.checkFailed(why);
    const intervalMs = Math.max(this.#settings.healthCheck.intervalMs, MIN_INTERVAL_MS);
    const spread = 1 - JITTER + 2 * JITTER * (this.#engine.random() / 2 ** 32);
    this.#engine.timers.set(this.#timer, this.#engine.nowMs + intervalMs * spread);
  }

  gone(_connection: Connection, _queries: unknown, { why }: ConnectionEnd): void {
    this.#connection = null;
    if (this.#checking) this.failed({ why: why ?? "connection closed" });
  }

  /** Not the server's fault. */
  unsent(): void {
    this.#checking = false;
  }

  #check(): void {
    const engine = this.#engine;
    const { endpoint } = this.#server;
    this.#checking = true;
    this.#sentMs = engine.nowMs;
    engine.timers.set(this.#timer, engine.nowMs + TIMEOUT_MS);
    if (!this.#settings.forceTcp && endpoint.tls === null) {
      const failure = this.#udp.send(endpoint);
      // Without a socket, the timer ends the check.
      if (failure !== null && failure.kind !== "exhausted") this.failed(failure);
      return;
    }
    if (this.#connection === null) {
      const { expireMs: idleMs } = this.#settings;
      const connection = new Connection(engine, this, { idleMs, oldMs: Infinity });
      if (!connection.open(endpoint)) {
        this.failed(FAILURE.CANNOT_CONNECT);
        return;
      }
      this.#connection = connection;
    }
    if (this.#connection.send(this.#query) === FAILURE.BUSY) this.unsent();
  }

  /** Its connection may be stuck. */
  #cancelCheck(): void {
    if (!this.#checking) return;
    this.#checking = false;
    this.#udp.cancel();
    this.#connection?.close();
  }
}
