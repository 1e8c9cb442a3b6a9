import type { Config, StreamTimeouts } from "../config/types.ts";
import { Address } from "../dns/address.ts";
import { FLAG, RCODE } from "../dns/constants.ts";
import { BufferPool } from "./buffer_pool.ts";
import { Blocks } from "./chain/blocks.ts";
import { HandlerChain } from "./chain/chain.ts";
import { ClientResponses } from "./clients/responses.ts";
import type { StreamLimits } from "./clients/stream_limits.ts";
import { ClientStreams } from "./clients/streams.ts";
import { COUNTER, type CounterBook } from "./counters.ts";
import {
  ANSWERED,
  CLIENT_BUCKETS,
  DROP,
  type Exchange,
  NEXT,
  TCP,
  WAIT,
} from "./exchange/exchange.ts";
import type { DatagramOrigin, Origin, StreamOrigin } from "./exchange/origin.ts";
import { ExchangePool } from "./exchange/pool.ts";
import { NO_QUERY, parseQuery } from "./exchange/query_parser.ts";
import type { CreateHandler, EngineServices } from "./handler.ts";
import type { Io, StreamHandler } from "./io.ts";
import { Memory } from "./memory.ts";
import { ClientGroups } from "./observe/client_groups.ts";
import { HashKey, hashOctets } from "./question/keyed_hash.ts";
import { isProbe } from "./question/probe.ts";
import { Response } from "./response/response.ts";
import { ResponseWriter } from "./response/writer.ts";
import { Timers } from "./timers.ts";
import type { Traffic } from "./traffic.ts";

/** Largest message, length, and slack for word copies. */
const OUT_SIZE = 65535 + 2 + 8 + 7;

/** Half the smallest byte budget of streams. */
const POOL_BYTES = 8 * 2 ** 20;

/** Environment and bounds of the engine. */
export interface EngineOptions {
  io: Io;
  counters: CounterBook;
  random: () => number;
  handlers: ReadonlyMap<string, CreateHandler>;
  log: EngineServices["log"];
  logsFields?: boolean;
  /** Milliseconds since 1970; absent: no wall time. */
  wallMs?: () => number;
  maxExchanges?: number;
  limits?: Partial<StreamLimits>;
}

/** Far above the needs of the miss benchmark. */
const MAX_EXCHANGES = 6144;

/**
 * State machine of the data plane. Handlers use `EngineServices`, drivers `Traffic`, the control
 * plane `configure`, `deliver`, `ask` and `unready`.
 */
export class Engine implements EngineServices, Traffic {
  nowMs = 0;
  readonly timers = new Timers();
  readonly buffers = new BufferPool(POOL_BYTES);
  readonly writer = new ResponseWriter();
  readonly values: Float64Array;
  readonly counter: CounterBook["counter"];
  readonly histogram: CounterBook["histogram"];
  readonly random: () => number;
  readonly io: Io;
  readonly log: EngineServices["log"];
  readonly logsFields: boolean;
  readonly wallMs: () => number;
  readonly hashKey: HashKey;
  readonly streams: ClientStreams;

  readonly #limits: Partial<StreamLimits> | undefined;
  readonly #blocks: Blocks;
  readonly #clientKey: HashKey;
  readonly #client = new Address();
  readonly #pool: ExchangePool;
  readonly #responses: ClientResponses;
  readonly #out = new Memory(OUT_SIZE);
  readonly #failure = new Response(new Memory(512));
  readonly #empty = new HandlerChain([]);
  #current: Exchange;
  readonly #slot: DatagramOrigin = { kind: "slot", id: 0 };
  #timeouts: StreamTimeouts[] = [];
  /** Null unless clients have names (`-clients`). */
  #groups: ClientGroups | null = null;

  constructor(options: EngineOptions) {
    const { counters } = options;
    this.values = counters.values;
    this.counter = counters.counter.bind(counters);
    this.histogram = counters.histogram.bind(counters);
    this.random = options.random;
    this.io = options.io;
    this.log = options.log;
    this.logsFields = options.logsFields ?? false;
    this.wallMs = options.wallMs ?? (() => NaN);
    this.hashKey = HashKey.draw(options.random);
    this.#limits = options.limits;
    this.#blocks = new Blocks(options.handlers);
    this.#clientKey = HashKey.draw(options.random);
    this.#responses = new ClientResponses(this, HashKey.draw(options.random));
    this.#pool = new ExchangePool(options.maxExchanges ?? MAX_EXCHANGES, this.#empty);
    this.#current = this.#pool.fresh();
    this.streams = new ClientStreams(this);
  }

  /** Waiting queries keep their chains. Listeners must keep their index (`alignListeners`). */
  configure(config: Config): void {
    this.#blocks.configure(config, this);
    this.#responses.configure(config.listeners);
    const { streamBytes } = config;
    this.streams.configure({
      ...streamBytes !== undefined && { bytes: streamBytes },
      ...this.#limits,
    });
    this.#timeouts = config.listeners.map(({ timeouts }) => timeouts ?? {});
  }

  retireStreams(listeners: ReadonlySet<number>): void {
    for (const one of this.streams.list()) if (listeners.has(one.listener)) one.retire();
  }

  drainStreams(): void {
    for (const one of this.streams.list()) one.drain();
  }

  deliver(block: number, position: number, data: unknown): void {
    this.#blocks.handlerAt(block, position)?.receive?.(data);
  }

  ask(block: number, position: number, request: unknown): unknown {
    return this.#blocks.handlerAt(block, position)?.ask?.(request);
  }

  /** Sets the names of clients (`ClientTable`); returns the buffer of the previous ones. */
  nameClients(table: ArrayBuffer): ArrayBuffer | null {
    const before = this.#groups?.replace(table) ?? null;
    this.#groups ??= new ClientGroups(this, table);
    return before;
  }

  clientName(exchange: Exchange): string {
    return this.#groups === null || exchange.internal ? "" : this.#groups.nameOf(exchange);
  }

  unready(): [block: number, plugin: string][] {
    return this.#blocks.unready();
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

  get exchanges(): number {
    return this.#pool.size;
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
    this.#slot.id = slot;
    this.values[COUNTER.UDP_QUERIES]!++;
    return this.#query(this.#slot, listener, memory, offset, length, out, outOffset);
  }

  /** As `datagram`, for a stream: up to 65,535 bytes. */
  streamQuery(
    stream: StreamOrigin,
    memory: Memory,
    offset: number,
    length: number,
    out: Memory,
    outOffset: number,
  ): number {
    this.values[COUNTER.TCP_QUERIES]!++;
    return this.#query(stream, stream.listener, memory, offset, length, out, outOffset);
  }

  accept(listener: number, stream: number): StreamHandler | null {
    return this.streams.accept(listener, stream, this.#timeouts[listener] ?? {});
  }

  park(exchange: Exchange): Exchange | null {
    const { origin } = exchange;
    if (exchange.parked || origin.kind === "internal") return exchange;
    if (!this.#admit(exchange)) return null;
    if (origin.kind === "stream") {
      origin.outstanding++;
    } else if (origin.kind === "slot") {
      const address = this.io.keep(origin.id);
      if (address < 0) {
        this.#pool.dismiss(exchange.client);
        this.values[COUNTER.SHED]!++;
        return null;
      }
      exchange.keep(address);
    }
    exchange.park();
    this.#current = this.#pool.fresh();
    return exchange;
  }

  resume(exchange: Exchange): void {
    exchange.answeredBy = exchange.position;
    this.rise(exchange);
  }

  rise(exchange: Exchange): void {
    if (!exchange.chain.rise(exchange, exchange.position)) this.#finish(exchange);
  }

  proceed(exchange: Exchange): void {
    const verdict = this.#descend(exchange, exchange.position + 1);
    if (verdict === WAIT) return;
    if (verdict === DROP) exchange.response = null;
    this.#finish(exchange);
  }

  refresh(exchange: Exchange, position: number): boolean {
    if (!this.#admit(exchange)) return false;
    const own = this.#pool.fresh();
    own.beginOwn(exchange, position);
    if (this.#descend(own, position + 1) !== WAIT) this.#finish(own);
    return true;
  }

  #admit(exchange: Exchange): boolean {
    const admitted = this.#pool.admit(this.clientBucket(exchange));
    if (!admitted) this.values[this.#pool.full ? COUNTER.SHED : COUNTER.SHED_SHARE]!++;
    return admitted;
  }

  clientBucket(exchange: Exchange): number {
    if (exchange.client >= 0) return exchange.client;
    if (exchange.internal) return 0;
    this.clientAddress(exchange, this.#client);
    const { family, bytes } = this.#client;
    // An IPv6 /64 is one client (RFC 4291 section 2.5.4).
    const hash = hashOctets(this.#clientKey, bytes, 0, family === 6 ? 8 : 4);
    return exchange.client = hash & (CLIENT_BUCKETS - 1);
  }

  clientFamily({ origin }: Exchange): 4 | 6 {
    if (origin.kind === "internal") return 4;
    return origin.kind === "stream" ? origin.family : this.io.family(origin.kind, origin.id);
  }

  clientAddress({ origin }: Exchange, target: Address): void {
    if (origin.kind !== "internal") this.io.address(origin.kind, origin.id, "client", target);
  }

  localAddress({ origin }: Exchange, target: Address): void {
    if (origin.kind !== "internal") this.io.address(origin.kind, origin.id, "local", target);
  }

  failure(exchange: Exchange, rcode: number): Response {
    this.#failure.begin(exchange, rcode, exchange.flags & (FLAG.OPCODE | FLAG.RD));
    return this.#failure;
  }

  #query(
    origin: Origin,
    listener: number,
    memory: Memory,
    offset: number,
    length: number,
    out: Memory,
    outOffset: number,
  ): number {
    const exchange = this.#current;
    exchange.origin = origin;
    exchange.listener = listener;
    exchange.memory = memory;
    exchange.offset = offset;
    exchange.length = length;
    exchange.begin(this.nowMs);
    const rcode = parseQuery(exchange, this.hashKey);
    if (rcode === NO_QUERY) {
      this.values[COUNTER.DROPPED]!++;
      return 0;
    }
    const route = this.#blocks.route(exchange);
    const chain = route?.chain ?? this.#empty;
    exchange.chain = chain;
    if (rcode !== RCODE.NOERROR) return this.#refuse(exchange, rcode, out, outOffset);
    if (route === null || !chain.serves(exchange.qclass)) {
      return this.#refuse(exchange, RCODE.REFUSED, out, outOffset);
    }
    exchange.zone = route.zone;
    const verdict = this.#descend(exchange, 0);
    if (verdict === WAIT) return 0;
    const size = verdict === DROP
      ? 0
      : this.#responses.write(exchange, exchange.response!, out, outOffset);
    chain.sent(exchange, size);
    if (this.#groups !== null) this.#groups.count(exchange, size);
    return size;
  }

  #refuse(exchange: Exchange, rcode: number, out: Memory, outOffset: number): number {
    const response = this.failure(exchange, rcode);
    const length = this.#responses.write(exchange, response, out, outOffset);
    // Echo unknown opcodes (RFC 1035 section 4.1.1).
    const opcode = exchange.flags & FLAG.OPCODE;
    if (opcode !== 0) {
      out.view.setUint16(outOffset + 2, out.view.getUint16(outOffset + 2) | opcode);
    }
    if (isProbe(exchange)) {
      this.values[exchange.transport === TCP ? COUNTER.PROBES_TCP : COUNTER.PROBES]!++;
    } else {
      this.values[COUNTER.REFUSED]!++;
      exchange.response = response;
      exchange.zone = -1;
      exchange.answeredBy = -1;
      this.#blocks.observerOf(exchange.listener)?.sent?.(exchange, length);
      if (this.#groups !== null) this.#groups.count(exchange, length);
    }
    return length;
  }

  #descend(exchange: Exchange, start: number): typeof ANSWERED | typeof WAIT | typeof DROP {
    const { chain } = exchange;
    const verdict = chain.descend(exchange, start);
    // Its handler will see no response.
    if (verdict === DROP) exchange.restoreQuestion();
    if (verdict !== NEXT) return verdict;
    if (exchange.error === "") exchange.error = "no next plugin found";
    exchange.response = this.failure(exchange, RCODE.SERVFAIL);
    exchange.answeredBy = -1;
    return chain.rise(exchange, chain.length) ? WAIT : ANSWERED;
  }

  #finish(exchange: Exchange): void {
    const { origin } = exchange;
    if (origin.kind === "stream") this.#answerStream(exchange, origin);
    else if (origin.kind === "kept") this.#answerDatagram(exchange, origin.id);
    this.#pool.release(exchange);
  }

  #answerStream(exchange: Exchange, stream: StreamOrigin): void {
    const { response, chain } = exchange;
    let length = 0;
    stream.outstanding--;
    if (response !== null && !stream.gone) {
      length = this.#responses.write(exchange, response, this.#out, 8);
      this.#out.view.setUint16(6, length);
      stream.answer(this.#out, 6, length + 2);
    }
    // Before `update`, which may read another query.
    chain.sent(exchange, length);
    if (this.#groups !== null) this.#groups.count(exchange, length);
    stream.update();
  }

  #answerDatagram(exchange: Exchange, address: number): void {
    const { response, chain } = exchange;
    const sends = response !== null && !this.#responses.discards(exchange, response);
    const length = sends ? this.#responses.write(exchange, response, this.#out, 0) : 0;
    chain.sent(exchange, length);
    if (this.#groups !== null) this.#groups.count(exchange, length);
    if (sends) this.io.reply(address, this.#out, 0, length);
    else this.io.forget(address);
  }
}
