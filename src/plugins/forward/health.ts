import { CLASS, FLAG, HEADER_SIZE, TYPE } from "../../dns/constants.ts";
import { parseName } from "../../dns/name.ts";
import type { EngineServices } from "../../engine/handler.ts";
import { Memory } from "../../engine/memory.ts";
import type { Timer } from "../../engine/timers.ts";
import { type DatagramHandler, type Endpoint, NO_SOCKET } from "../../io/contract.ts";
import type { ForwardOptions } from "./options.ts";
import type { StreamQuery, UpstreamStream, UpstreamStreams } from "./streams.ts";
import { sameQuestion } from "./upstream_query.ts";

/** How long a check waits for its reply; CoreDNS's own limit. */
const TIMEOUT_MS = 1000;
/** Shortest pause between two checks, whatever `health_check` says. */
const MIN_INTERVAL_MS = 100;
/** Checks are spread by this much around their interval, so that a thousand nodes do not beat as one. */
const JITTER = 0.25;
/** An upstream that was out gets its share of queries back over this time. */
const RAMP_MS = 5000;
/** Share with which it begins. */
const FIRST_SHARE = 0.1;

/** What a health check needs of its upstream. */
export interface Checked {
  readonly endpoint: Endpoint;
  readonly streams: UpstreamStreams;
  /** A check was answered after `durationMs`. */
  checked(durationMs: number): void;
  /** A measurement was not answered. */
  measureFailed(durationMs: number): void;
  /** A check was not answered. */
  checkFailed(): void;
}

/**
 * The breaker of one upstream. Nothing is sent while all is well.
 *
 * A failure makes the upstream *suspect*: it gets no queries as long as others are well, and is
 * checked with a small query over and over until anything at all comes back. `maxFails` failed checks
 * in a row mean *down*. One that had failed a check is taken back over some seconds.
 */
export class Health implements DatagramHandler, StreamQuery {
  readonly #upstream: Checked;
  readonly #engine: EngineServices;
  readonly #options: ForwardOptions;
  readonly #question: Uint8Array;
  readonly #packet: Memory;
  readonly #timer: Timer;
  #fails = 0;
  #suspect = false;
  #stopped = false;
  #backMs = -Infinity;
  #socket = -1;
  #stream: UpstreamStream | null = null;
  #id = 0;
  #sentMs = 0;
  /** The check is sent once more, on a new connection. */
  #again = false;

  constructor(upstream: Checked, options: ForwardOptions, engine: EngineServices) {
    this.#upstream = upstream;
    this.#engine = engine;
    this.#options = options;
    this.#question = parseName(options.healthCheck.domain);
    this.#packet = new Memory(HEADER_SIZE + this.#question.length + 4);
    this.#timer = engine.timers.create(() => this.#tick());
  }

  /** Something failed, and nothing has come since. */
  get suspect(): boolean {
    return this.#suspect;
  }

  /** Checks have failed so often that the upstream counts as down. */
  get down(): boolean {
    const { maxFails } = this.#options;
    return maxFails > 0 && this.#fails >= maxFails;
  }

  /** Share of its queries that an upstream gets that has just come back, from 0 to 1. */
  get share(): number {
    const part = (this.#engine.nowMs - this.#backMs) / RAMP_MS;
    return part >= 1 ? 1 : FIRST_SHARE + (1 - FIRST_SHARE) * part;
  }

  /** The upstream failed a query: it is suspect, and checked until it answers. */
  fail(): void {
    if (this.#suspect || this.#stopped || this.#options.maxFails === 0) return;
    this.#suspect = true;
    this.#letGo();
    this.#probe();
  }

  /** Something came from the upstream, so it lives, whatever the checks said. */
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
    if (this.#suspect || this.#stopped || this.#socket >= 0 || this.#stream !== null) return;
    this.#probe();
  }

  /** Ends the checks. */
  stop(): void {
    this.#stopped = true;
    this.#letGo();
    this.#engine.timers.clear(this.#timer);
  }

  /** An answer to the check: anything will do, as CoreDNS has it. */
  reply(memory: Memory, length: number): void {
    const { view } = memory;
    if (length < HEADER_SIZE || view.getUint16(0) !== this.#id) return;
    if ((view.getUint16(2) & FLAG.QR) === 0) return;
    const questions = view.getUint16(4);
    const size = this.#question.length + 4;
    const whole = questions === 1 && length >= HEADER_SIZE + size &&
      sameQuestion(this.#packet, memory, { offset: 0, length: size, exact: false });
    // Some servers answer an error with a header alone.
    if (whole || (questions === 0 && length === HEADER_SIZE)) this.#answered();
  }

  /** As `reply`, where the check goes over a stream. */
  answered(): void {
    this.#stream = null;
    this.#answered();
  }

  matches(): boolean {
    return true;
  }

  /** The connection of the check broke. */
  broken(_why: string | undefined, answeredMs: number): void {
    this.#stream = null;
    // An old connection says nothing about a new one.
    if (answeredMs > -Infinity && !this.#again) {
      this.#again = true;
      this.#probe();
    } else {
      this.#failed();
    }
  }

  /** The socket of the check failed. */
  failed(): void {
    this.#failed();
  }

  #answered(): void {
    this.#letGo();
    this.#engine.timers.clear(this.#timer);
    this.#upstream.checked(this.#engine.nowMs - this.#sentMs);
  }

  #tick(): void {
    const stream = this.#stream;
    const sentMs = this.#sentMs;
    if (this.#socket < 0 && stream === null) {
      this.#probe();
      return;
    }
    this.#failed();
    // A connection to a peer that vanished would swallow every check.
    stream?.suspect(sentMs);
  }

  #failed(): void {
    this.#letGo();
    if (!this.#suspect) {
      this.#engine.timers.clear(this.#timer);
      this.#upstream.measureFailed(TIMEOUT_MS);
      this.fail();
      return;
    }
    this.#fails++;
    this.#upstream.checkFailed();
    const intervalMs = Math.max(this.#options.healthCheck.intervalMs, MIN_INTERVAL_MS);
    const spread = 1 - JITTER + 2 * JITTER * (this.#engine.random() / 2 ** 32);
    this.#engine.timers.set(this.#timer, this.#engine.nowMs + intervalMs * spread);
  }

  #probe(): void {
    const engine = this.#engine;
    const { io } = engine;
    const { view, bytes } = this.#packet;
    this.#id = engine.random() & 0xffff;
    this.#sentMs = engine.nowMs;
    view.setUint16(0, this.#id);
    view.setUint16(2, this.#options.healthCheck.recursionDesired ? FLAG.RD : 0);
    view.setUint16(4, 1);
    bytes.set(this.#question, HEADER_SIZE);
    view.setUint16(HEADER_SIZE + this.#question.length, TYPE.NS);
    view.setUint16(HEADER_SIZE + this.#question.length + 2, CLASS.IN);
    const length = HEADER_SIZE + this.#question.length + 4;
    engine.timers.set(this.#timer, engine.nowMs + TIMEOUT_MS);
    const { endpoint, streams } = this.#upstream;
    // The check goes the way that the queries go.
    if (this.#options.forceTcp || endpoint.tls !== null) {
      this.#stream = streams.ask(this, this.#packet, 0, length);
      if (this.#stream === null) this.#failed();
      return;
    }
    this.#socket = io.open(endpoint, this);
    // No fault of the upstream: the timer has it checked again.
    if (this.#socket === NO_SOCKET) return;
    const sent = this.#socket >= 0 && io.send(this.#socket, this.#packet, 0, length);
    if (!sent) this.#failed();
  }

  #letGo(): void {
    this.#again = false;
    this.#stream?.cancel(this);
    this.#stream = null;
    if (this.#socket < 0) return;
    this.#engine.io.release(this.#socket);
    this.#socket = -1;
  }
}
