import { Address } from "../dns/address.ts";
import { FLAG, RCODE } from "../dns/constants.ts";
import type { Config, StreamTimeouts } from "../config/types.ts";
import type { Io, StreamHandler } from "./io.ts";
import { Chain } from "./chain.ts";
import { buildChains } from "./chains.ts";
import { ClientResponses } from "./client_response.ts";
import type { ClientStream } from "./client_stream.ts";
import type { BufferPool } from "./buffer_pool.ts";
import { ClientStreams } from "./client_streams.ts";
import type { Control } from "./control.ts";
import { COUNTER, type CounterBook } from "./counters.ts";
import { CLIENT_BUCKETS, Exchange, TCP, UDP } from "./exchange.ts";
import { ExchangePool } from "./exchange_pool.ts";
import {
  ANSWERED,
  type CreateHandler,
  DROP,
  type EngineServices,
  type Handler,
  NEXT,
  WAIT,
} from "./handler.ts";
import { writeFailure } from "./failure.ts";
import { Memory } from "./memory.ts";
import { NO_QUERY, parseQuery } from "./query_parser.ts";
import { HashKey, hashOctets } from "./question/keyed_hash.ts";
import { Response } from "./response.ts";
import { ResponseWriter } from "./response_writer.ts";
import { isProbe } from "./probe.ts";
import { buildRoutes, findObservers, findRoute, type Route, serves } from "./routes.ts";
import type { StreamLimits } from "./stream_limits.ts";
import { Timers } from "./timers.ts";
import type { Traffic } from "./traffic.ts";
import type { ZoneTable } from "./zones.ts";

/** Largest message with its two octets of length and the slack that word copies need. */
const OUT_SIZE = 65535 + 2 + 8 + 7;

/** What an engine is made of; all that touches the world is handed in. */
export interface EngineOptions {
  io: Io;
  counters: CounterBook;
  /** Uniform unsigned 32-bit random numbers, fit for security. */
  random: () => number;
  /** Makes the handlers, by plugin name. */
  handlers: ReadonlyMap<string, CreateHandler>;
  log: EngineServices["log"];
  /** The log takes `fields`; default: it does not. */
  logsFields?: boolean;
  /** Milliseconds since 1970 by the wall clock; without it nothing that depends on it is judged. */
  wallMs?: () => number;
  /** Most queries that may wait at a time. */
  maxExchanges?: number;
  limits?: Partial<StreamLimits>;
}

/** Bounds of the engine: values tried with the miss benchmark, far above what it needs. */
export const MAX_EXCHANGES = { default: 6144, min: 1, max: 1048576 } as const;

/**
 * The data plane's state machine: queries in, responses out. Nothing here throws for peer input.
 *
 * It shows a narrow face to each of its users: `EngineServices` to handlers, `Traffic` to the driver,
 * which sets the time, hands over what arrived and runs the timers, and `Control` to the control plane.
 */
export class Engine implements EngineServices, Traffic, Control {
  nowMs = 0;
  readonly timers = new Timers();
  readonly writer = new ResponseWriter();
  readonly values: Float64Array;
  readonly random: () => number;
  readonly io: Io;
  readonly log: EngineServices["log"];
  readonly logsFields: boolean;
  readonly wallMs: () => number;
  readonly hashKey: HashKey;
  /** Clients' TCP connections. */
  readonly streams: ClientStreams;

  readonly #options: EngineOptions;
  readonly #counters: CounterBook;
  readonly #clientKey: HashKey;
  readonly #pool: ExchangePool;
  readonly #responses: ClientResponses;
  readonly #out = new Memory(OUT_SIZE);
  readonly #failure: Response;
  readonly #empty = new Chain([]);
  readonly #current: Exchange;
  readonly #client = new Address();
  #routes: ZoneTable<Route>[] = [];
  /** Who is told of queries that no chain saw, by listener. */
  #observers: (Handler | null)[] = [];
  /** What clients may do over TCP, by listener. */
  #timeouts: StreamTimeouts[] = [];
  #config: Config = { file: "", blocks: [], listeners: [], debug: false };
  #chains: Chain[] = [];

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#counters = options.counters;
    this.values = options.counters.values;
    this.random = options.random;
    this.io = options.io;
    this.log = options.log;
    this.logsFields = options.logsFields ?? false;
    this.wallMs = options.wallMs ?? (() => NaN);
    this.hashKey = HashKey.draw(options.random);
    this.#clientKey = HashKey.draw(options.random);
    this.#responses = new ClientResponses(this, HashKey.draw(options.random));
    this.#failure = new Response(new Memory(512));
    this.#current = new Exchange(new Memory(0), this.#empty);
    this.#pool = new ExchangePool(options.maxExchanges ?? MAX_EXCHANGES.default, this.#empty);
    this.streams = new ClientStreams(this);
  }

  configure(config: Config): void {
    const old = this.#chains;
    const chains = buildChains(config, {
      handlers: this.#options.handlers,
      engine: this,
      previous: { config: this.#config, chains: old },
    });
    this.#routes = buildRoutes(config, chains);
    this.#observers = findObservers(config, chains);
    this.#responses.configure(config.listeners);
    const { streamBytes } = config;
    this.streams.configure({
      ...streamBytes !== undefined && { bytes: streamBytes },
      ...this.#options.limits,
    });
    this.#timeouts = config.listeners.map(({ timeouts }) => timeouts ?? {});
    this.#config = config;
    this.#chains = chains;
    for (const chain of old) if (!chains.includes(chain)) chain.stop();
  }

  retireStreams(listeners: ReadonlySet<number>): void {
    for (const one of this.streams.list()) if (listeners.has(one.listener)) one.retire();
  }

  drainStreams(): void {
    for (const one of this.streams.list()) one.drain();
  }

  deliver(block: number, position: number, data: unknown): void {
    this.#chains[block]?.handlers[position]?.receive?.(data);
  }

  ask(block: number, position: number, request: unknown): unknown {
    return this.#chains[block]?.handlers[position]?.ask?.(request);
  }

  unready(): [block: number, plugin: string][] {
    return this.#chains.flatMap(({ handlers }, block) =>
      handlers.filter((handler) => handler.ready?.() === false)
        .map(({ name }): [number, string] => [block, name])
    );
  }

  get buffers(): BufferPool {
    return this.streams.buffers;
  }

  advance(nowMs: number): void {
    this.nowMs = nowMs;
  }

  get nextDeadlineMs(): number {
    return this.streams.waiting ? this.nowMs : this.timers.nextMs;
  }

  runTimers(): void {
    this.timers.run(this.nowMs);
    this.streams.runTurns();
  }

  get waiting(): number {
    return this.#pool.used;
  }

  get openStreams(): number {
    return this.streams.size;
  }

  /** Exchanges in memory, in use or not. */
  get exchanges(): number {
    return this.#pool.size;
  }

  counter(name: string, labels?: Readonly<Record<string, string>>): number {
    return this.#counters.counter(name, labels);
  }

  histogram(
    name: string,
    labels: Readonly<Record<string, string>>,
    bounds: readonly number[],
  ): number {
    return this.#counters.histogram(name, labels, bounds);
  }

  datagram(
    listener: number,
    slot: number,
    memory: Memory,
    offset: number,
    length: number,
    out: Memory,
    outOffset: number,
  ): number {
    const exchange = this.#current;
    exchange.memory = memory;
    exchange.offset = offset;
    exchange.length = length;
    exchange.transport = UDP;
    exchange.listener = listener;
    exchange.slot = slot;
    exchange.stream = null;
    this.values[COUNTER.UDP_QUERIES]!++;
    return this.#query(exchange, out, outOffset);
  }

  /** As `datagram`, for one message of a TCP stream; the response may be as long as 65,535 bytes. */
  streamQuery(
    stream: ClientStream,
    memory: Memory,
    offset: number,
    length: number,
    out: Memory,
    outOffset: number,
  ): number {
    const exchange = this.#current;
    exchange.memory = memory;
    exchange.offset = offset;
    exchange.length = length;
    exchange.transport = TCP;
    exchange.listener = stream.listener;
    exchange.slot = -1;
    exchange.stream = stream;
    this.values[COUNTER.TCP_QUERIES]!++;
    return this.#query(exchange, out, outOffset);
  }

  accept(listener: number, stream: number): StreamHandler | null {
    return this.streams.accept(listener, stream, this.#timeouts[listener] ?? {});
  }

  park(exchange: Exchange): Exchange | null {
    if (exchange.returnAddress >= 0 || exchange.internal || exchange.parked) return exchange;
    const parked = this.#take(exchange);
    if (parked === null) return null;
    if (parked.transport === UDP) {
      parked.returnAddress = this.io.keep(exchange.slot);
      parked.slot = -1;
      if (parked.returnAddress < 0) {
        this.#pool.release(parked);
        this.values[COUNTER.SHED]!++;
        return null;
      }
    } else {
      parked.stream!.outstanding++;
    }
    return parked;
  }

  resume(exchange: Exchange): void {
    exchange.answeredBy = exchange.position;
    this.#rise(exchange, exchange.position);
    this.#finish(exchange);
  }

  proceed(exchange: Exchange): void {
    const verdict = this.#descend(exchange, exchange.position + 1);
    if (verdict === WAIT) return;
    if (verdict === DROP) exchange.response = null;
    this.#finish(exchange);
  }

  refresh(exchange: Exchange, position: number): boolean {
    const own = this.#take(exchange);
    if (own === null) return false;
    own.disown(position);
    if (this.#descend(own, position + 1) !== WAIT) this.#finish(own);
    return true;
  }

  /** An exchange of its own for a query that has to wait; null, and counted, if there is none. */
  #take(exchange: Exchange): Exchange | null {
    this.clientBucket(exchange);
    const own = this.#pool.take(exchange);
    if (own === null) this.values[this.#pool.full ? COUNTER.SHED : COUNTER.SHED_SHARE]!++;
    return own;
  }

  clientBucket(exchange: Exchange): number {
    if (exchange.client >= 0) return exchange.client;
    if (exchange.internal) return 0;
    this.#address(exchange, "client", this.#client);
    const { family, bytes } = this.#client;
    // A network of 64 bits is one client (RFC 4291 section 2.5.4).
    const hash = hashOctets(this.#clientKey, bytes, 0, family === 6 ? 8 : 4);
    return exchange.client = hash & (CLIENT_BUCKETS - 1);
  }

  failure(exchange: Exchange, rcode: number): Response {
    return writeFailure(this.#failure, exchange, rcode);
  }

  clientFamily(exchange: Exchange): 4 | 6 {
    const { stream, slot, returnAddress } = exchange;
    if (stream !== null) return stream.family;
    return slot >= 0 ? this.io.family("slot", slot) : this.io.family("kept", returnAddress);
  }

  clientAddress(exchange: Exchange, target: Address): void {
    this.#address(exchange, "client", target);
  }

  localAddress(exchange: Exchange, target: Address): void {
    this.#address(exchange, "local", target);
  }

  #address(exchange: Exchange, side: "client" | "local", target: Address): void {
    if (exchange.internal) return;
    if (exchange.stream !== null) {
      this.io.address("stream", exchange.stream.id, side, target);
    } else if (exchange.slot >= 0) {
      this.io.address("slot", exchange.slot, side, target);
    } else {
      this.io.address("kept", exchange.returnAddress, side, target);
    }
  }

  #query(exchange: Exchange, out: Memory, outOffset: number): number {
    exchange.begin(this.nowMs);
    const rcode = parseQuery(exchange, this.hashKey);
    if (rcode === NO_QUERY) {
      this.values[COUNTER.DROPPED]!++;
      return 0;
    }
    const route = findRoute(this.#routes[exchange.listener]!, exchange);
    const chain = exchange.chain = route?.chain ?? this.#empty;
    if (rcode !== RCODE.NOERROR) return this.#refuse(exchange, rcode, out, outOffset);
    if (route === null || !serves(chain, exchange)) {
      return this.#refuse(exchange, RCODE.REFUSED, out, outOffset);
    }
    exchange.zone = route.place;
    const verdict = this.#descend(exchange, 0);
    if (verdict === WAIT) return 0;
    const length = verdict === DROP
      ? 0
      : this.#responses.write(exchange, exchange.response!, out, outOffset);
    if (chain.observer !== null) chain.observer.sent!(exchange, length);
    return length;
  }

  #refuse(x: Exchange, rcode: number, out: Memory, outOffset: number): number {
    const probe = isProbe(x);
    const probes = x.transport === UDP ? COUNTER.PROBES : COUNTER.PROBES_TCP;
    this.values[probe ? probes : COUNTER.REFUSED]!++;
    const response = this.failure(x, rcode);
    const length = this.#responses.write(x, response, out, outOffset);
    // An opcode that is not understood is echoed (RFC 1035 section 4.1.1).
    const opcode = x.flags & FLAG.OPCODE;
    if (opcode !== 0) {
      out.view.setUint16(outOffset + 2, out.view.getUint16(outOffset + 2) | opcode);
    }
    if (!probe) {
      x.response = response;
      x.zone = -1;
      x.answeredBy = -1;
      this.#observers[x.listener]?.sent?.(x, length);
    }
    return length;
  }

  /** Asks the handlers from `start` on, then lets the response rise. */
  #descend(exchange: Exchange, start: number): typeof ANSWERED | typeof WAIT | typeof DROP {
    const { handlers, queries } = exchange.chain;
    for (let i = 0; i < queries.length; i++) {
      const position = queries[i]!;
      if (position < start) continue;
      exchange.position = position;
      const verdict = handlers[position]!.query!(exchange);
      if (verdict === NEXT) continue;
      exchange.answeredBy = position;
      if (verdict === ANSWERED) this.#rise(exchange, position);
      return verdict;
    }
    if (exchange.error === "") exchange.error = "no next plugin found";
    exchange.response = this.failure(exchange, RCODE.SERVFAIL);
    exchange.answeredBy = -1;
    this.#rise(exchange, handlers.length);
    return ANSWERED;
  }

  #rise(exchange: Exchange, from: number): void {
    const { handlers, responders } = exchange.chain;
    for (let i = 0; i < responders.length; i++) {
      const position = responders[i]!;
      if (position >= from) continue;
      if (position < exchange.top) break;
      exchange.position = position;
      handlers[position]!.response!(exchange);
    }
  }

  /** Sends the response of an exchange that waited, and lets go of it. */
  #finish(exchange: Exchange): void {
    const { response } = exchange;
    const { observer } = exchange.chain;
    if (!exchange.internal) {
      let length = 0;
      if (exchange.transport === TCP) {
        const stream = exchange.stream!;
        stream.outstanding--;
        if (response !== null && !stream.gone) {
          length = this.#responses.write(exchange, response, this.#out, 8);
          this.#out.view.setUint16(6, length);
          stream.answer(this.#out, 6, length + 2);
        }
        // Not after `settle`, which may take another query in.
        if (observer !== null) observer.sent!(exchange, length);
        stream.settle();
      } else {
        const sends = response !== null && !this.#responses.discards(exchange, response);
        if (sends) length = this.#responses.write(exchange, response, this.#out, 0);
        if (observer !== null) observer.sent!(exchange, length);
        if (sends) this.io.reply(exchange.returnAddress, this.#out, 0, length);
        else this.io.forget(exchange.returnAddress);
      }
    }
    this.#pool.release(exchange);
  }
}
