import { Address, parseAddress } from "../../dns/address.ts";
import { CLASS, FLAG, HEADER_SIZE, TYPE } from "../../dns/constants.ts";
import { parseName } from "../../dns/name.ts";
import type { EngineServices } from "../../engine/handler.ts";
import { Memory } from "../../engine/memory.ts";
import type { Timer } from "../../engine/timers.ts";
import type { DatagramHandler, Endpoint, Io } from "../../io/contract.ts";
import type { ForwardOptions, UpstreamOptions } from "./options.ts";
import { type StreamQuery, type UpstreamStream, UpstreamStreams } from "./streams.ts";

/** How long a health check waits for an answer; CoreDNS's own limit. */
const HEALTH_TIMEOUT_MS = 1000;

/**
 * One server to forward to, and what is known of its health.
 *
 * Nothing is sent while all is well. The first error of a query starts a health check, repeated
 * until one is answered, with anything at all; `maxFails` failures in a row mean "down".
 */
export class Upstream implements DatagramHandler, StreamQuery {
  /** As shown in messages and labels: `10.0.0.10:53`, `[2001:db8::1]:53`. */
  readonly label: string;
  readonly endpoint: Endpoint;
  readonly streams: UpstreamStreams;
  readonly #engine: EngineServices;
  readonly #io: Io;
  readonly #options: ForwardOptions;
  readonly #question: Uint8Array;
  readonly #packet: Memory;
  readonly #timer: Timer;
  readonly #failures: number;
  readonly #replies: number;
  readonly #replyMs: number;
  readonly #errors: number;
  #fails = 0;
  #checking = false;
  #stopped = false;
  #socket = -1;
  #stream: UpstreamStream | null = null;
  #id = 0;

  constructor(
    upstream: UpstreamOptions,
    options: ForwardOptions,
    engine: EngineServices,
    io: Io,
  ) {
    this.#engine = engine;
    this.#io = io;
    this.#options = options;
    const { address, port } = upstream;
    this.label = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
    const { sourceAddress } = options;
    this.endpoint = {
      address: toAddress(address, port),
      scope: address.split("%")[1] ?? "",
      source: sourceAddress === null ? null : toAddress(sourceAddress, 0),
      tls: null,
    };
    this.streams = new UpstreamStreams(this.endpoint, options, engine, io);
    this.#question = parseName(options.healthCheck.domain);
    this.#packet = new Memory(HEADER_SIZE + this.#question.length + 4);
    this.#timer = engine.timers.create(() => this.#tick());
    this.#failures = engine.counter("coredns_proxy_healthcheck_failures_total", {
      proxy_name: "forward",
      to: this.label,
    });
    this.#replies = engine.counter("nodens_upstream_replies_total", { to: this.label });
    this.#replyMs = engine.counter("nodens_upstream_reply_milliseconds_total", { to: this.label });
    this.#errors = engine.counter("nodens_upstream_failures_total", { to: this.label });
  }

  /** Counts a reply and the time it took. */
  observe(durationMs: number): void {
    this.#engine.values[this.#replies]!++;
    this.#engine.values[this.#replyMs]! += durationMs;
  }

  /** Counts an attempt that brought no usable reply. */
  countFailure(): void {
    this.#engine.values[this.#errors]!++;
  }

  /** Whether health checks have given this upstream up. */
  get down(): boolean {
    const { maxFails } = this.#options;
    return maxFails > 0 && this.#fails >= maxFails;
  }

  /** A query got an answer, so the upstream lives, whatever the checks said. */
  succeeded(): void {
    if (this.#checking) this.#healthy();
  }

  /** The socket of the health check failed. */
  failed(): void {
    if (this.#socket >= 0) this.#checkFailed();
  }

  /** A query failed: finds out whether the upstream does, unless that is under way or turned off. */
  check(): void {
    if (this.#checking || this.#stopped || this.#options.maxFails === 0) return;
    this.#checking = true;
    this.#probe();
  }

  /** An answer to the health check: anything will do, as CoreDNS has it. */
  reply(memory: Memory, length: number): void {
    if (length < HEADER_SIZE || memory.view.getUint16(0) !== this.#id) return;
    if ((memory.view.getUint16(2) & FLAG.QR) !== 0) this.#healthy();
  }

  /** As `reply`, where the check goes over TCP. */
  answered(): void {
    this.#stream = null;
    this.#healthy();
  }

  matches(): boolean {
    return true;
  }

  /** The connection of the health check broke. */
  broken(): void {
    this.#stream = null;
    this.#checkFailed();
  }

  /** Ends health checks and closes connections. */
  stop(): void {
    this.#stopped = true;
    this.#letGo();
    this.#engine.timers.clear(this.#timer);
    this.streams.stop();
  }

  #tick(): void {
    if (this.#socket >= 0 || this.#stream !== null) this.#checkFailed();
    else this.#probe();
  }

  #healthy(): void {
    this.#fails = 0;
    this.#checking = false;
    this.#letGo();
    this.#engine.timers.clear(this.#timer);
  }

  #checkFailed(): void {
    this.#letGo();
    this.#fails++;
    this.#engine.values[this.#failures]!++;
    this.#engine.timers.set(
      this.#timer,
      this.#engine.nowMs + this.#options.healthCheck.intervalMs,
    );
  }

  #probe(): void {
    const { view, bytes } = this.#packet;
    this.#id = this.#engine.random() & 0xffff;
    view.setUint16(0, this.#id);
    view.setUint16(2, this.#options.healthCheck.recursionDesired ? FLAG.RD : 0);
    view.setUint16(4, 1);
    bytes.set(this.#question, HEADER_SIZE);
    view.setUint16(HEADER_SIZE + this.#question.length, TYPE.NS);
    view.setUint16(HEADER_SIZE + this.#question.length + 2, CLASS.IN);
    const length = HEADER_SIZE + this.#question.length + 4;
    this.#engine.timers.set(this.#timer, this.#engine.nowMs + HEALTH_TIMEOUT_MS);
    // With `force_tcp` the check goes over TCP too.
    if (this.#options.forceTcp) {
      this.#stream = this.streams.ask(this, this.#packet, 0, length);
      if (this.#stream === null) this.#checkFailed();
      return;
    }
    this.#socket = this.#io.open(this.endpoint, this);
    const sent = this.#socket >= 0 && this.#io.send(this.#socket, this.#packet, 0, length);
    if (!sent) this.#checkFailed();
  }

  #letGo(): void {
    this.#stream?.cancel(this);
    this.#stream = null;
    if (this.#socket < 0) return;
    this.#io.release(this.#socket);
    this.#socket = -1;
  }
}

/** Socket address of an IP address that the configuration has checked. */
function toAddress(text: string, port: number): Address {
  const bytes = parseAddress(text.split("%")[0]!);
  if (bytes === null) throw new TypeError(`Cannot use "${text}" as an IP address`);
  const address = new Address();
  address.family = bytes.length === 4 ? 4 : 6;
  address.bytes.set(bytes);
  address.port = port;
  return address;
}
