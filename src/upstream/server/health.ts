import { CLASS, FLAG, HEADER_SIZE, TYPE } from "../../dns/constants.ts";
import { parseName } from "../../dns/name.ts";
import type { EngineServices } from "../../engine/handler.ts";
import type { Timer } from "../../engine/timers.ts";
import type { Endpoint } from "../../engine/io.ts";
import type { ServerSettings } from "../options.ts";
import { BUSY } from "../transport/connections_options.ts";
import { Connection, type ConnectionOwner } from "../transport/connection.ts";
import { Outgoing, type TransportHandler } from "../transport/outgoing.ts";
import { UdpQuery } from "../transport/udp.ts";

/** How long a check waits for its reply; CoreDNS's own limit. */
const TIMEOUT_MS = 1000;
/** Shortest pause between two checks, whatever `health_check` says. */
const MIN_INTERVAL_MS = 100;
/** Checks are spread by this much around their interval, so that a thousand nodes do not beat as one. */
const JITTER = 0.25;
/** A server that was out gets its share of queries back over this time. */
const RAMP_MS = 5000;
/** Share with which it begins. */
const FIRST_SHARE = 0.1;

/** What a health check needs of its server. */
export interface Checked {
  readonly endpoint: Endpoint;
  /** A check was answered after `durationMs`. */
  checked(durationMs: number): void;
  /** A measurement was not answered. */
  measureFailed(durationMs: number): void;
  /** A check was not answered. */
  checkFailed(): void;
}

/**
 * The breaker of one server. Nothing is sent while all is well.
 *
 * A failure makes the server *suspect*: it gets no queries as long as others are well, and is checked
 * with a small query over and over until anything at all comes back. `maxFails` failed checks in a
 * row mean *down*. One that had failed a check is taken back over some seconds.
 *
 * A check goes the way that the queries go, but never on a connection with them: a slow name there
 * would hold it up.
 */
export class Health implements TransportHandler, ConnectionOwner {
  readonly #server: Checked;
  readonly #engine: EngineServices;
  readonly #settings: ServerSettings;
  readonly #query = new Outgoing(this);
  readonly #udp: UdpQuery;
  readonly #timer: Timer;
  #fails = 0;
  #suspect = false;
  #stopped = false;
  #backMs = -Infinity;
  /** A check is under way. */
  #checking = false;
  #connection: Connection | null = null;
  #sentMs = 0;

  constructor(server: Checked, settings: ServerSettings, engine: EngineServices) {
    this.#server = server;
    this.#engine = engine;
    this.#settings = settings;
    this.#udp = new UdpQuery(this.#query, { engine, queue: null, onMismatch: () => false });
    this.#timer = engine.timers.create(() => this.#tick());
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

  /** Something failed, and nothing has come since. */
  get suspect(): boolean {
    return this.#suspect;
  }

  /** Checks have failed so often that the server counts as down. */
  get down(): boolean {
    const { maxFails } = this.#settings;
    return maxFails > 0 && this.#fails >= maxFails;
  }

  /** Share of its queries that a server gets that has just come back, from 0 to 1. */
  get share(): number {
    const part = (this.#engine.nowMs - this.#backMs) / RAMP_MS;
    return part >= 1 ? 1 : FIRST_SHARE + (1 - FIRST_SHARE) * part;
  }

  /** The server failed a query: it is suspect, and checked until it answers. */
  fail(): void {
    if (this.#suspect || this.#stopped || this.#settings.maxFails === 0) return;
    this.#suspect = true;
    this.#letGo();
    this.#check();
  }

  /** Something came from the server, so it lives, whatever the checks said. */
  heard(): void {
    if (!this.#suspect) return;
    if (this.#fails > 0) this.#backMs = this.#engine.nowMs;
    this.#fails = 0;
    this.#suspect = false;
    this.#letGo();
    this.#engine.timers.clear(this.#timer);
  }

  /** Sends one check to learn the time that it takes, where none is under way. */
  measure(): void {
    if (!this.#suspect && !this.#stopped && !this.#checking) this.#check();
  }

  /** Ends the checks. */
  stop(): void {
    this.#stopped = true;
    this.#letGo();
    this.#connection?.close();
    this.#engine.timers.clear(this.#timer);
  }

  /** An answer to the check: anything will do, as CoreDNS has it. */
  replied(): void {
    // On a connection the time counts from when it was established.
    const readyMs = this.#connection?.readyMs ?? Infinity;
    const sinceMs = readyMs < Infinity ? Math.max(readyMs, this.#sentMs) : this.#sentMs;
    this.#checking = false;
    this.#udp.cancel();
    this.#engine.timers.clear(this.#timer);
    this.#server.checked(this.#engine.nowMs - sinceMs);
  }

  failed(): void {
    this.#failed();
  }

  gone(): void {
    this.#connection = null;
    if (this.#checking) this.#failed();
  }

  /** The server is not to blame: the timer has it checked again. */
  unsent(): void {
    this.#checking = false;
  }

  answered(): void {}

  mismatched(): void {}

  #tick(): void {
    if (this.#checking) this.#failed();
    else this.#check();
  }

  #failed(): void {
    this.#letGo();
    if (!this.#suspect) {
      this.#engine.timers.clear(this.#timer);
      this.#server.measureFailed(TIMEOUT_MS);
      this.fail();
      return;
    }
    this.#fails++;
    this.#server.checkFailed();
    const intervalMs = Math.max(this.#settings.healthCheck.intervalMs, MIN_INTERVAL_MS);
    const spread = 1 - JITTER + 2 * JITTER * (this.#engine.random() / 2 ** 32);
    this.#engine.timers.set(this.#timer, this.#engine.nowMs + intervalMs * spread);
  }

  #check(): void {
    const engine = this.#engine;
    this.#checking = true;
    this.#sentMs = engine.nowMs;
    engine.timers.set(this.#timer, engine.nowMs + TIMEOUT_MS);
    const { endpoint } = this.#server;
    if (!this.#settings.forceTcp && endpoint.tls === null) {
      const failure = this.#udp.send(endpoint);
      // Without a socket of ours the server is not to blame: the timer has it checked again.
      if (failure !== null && failure.kind !== "exhausted") this.#failed();
      return;
    }
    if (this.#connection === null) {
      const { expireMs: idleMs } = this.#settings;
      const connection = new Connection(engine, this, { idleMs, oldMs: Infinity });
      if (!connection.open(endpoint)) {
        this.#failed();
        return;
      }
      this.#connection = connection;
    }
    if (this.#connection.send(this.#query) === BUSY) this.unsent();
  }

  /** Ends a check that is under way; its connection cannot be trusted any more. */
  #letGo(): void {
    if (!this.#checking) return;
    this.#checking = false;
    this.#udp.cancel();
    this.#connection?.close();
  }
}
