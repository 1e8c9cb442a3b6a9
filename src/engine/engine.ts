import type { Config } from "../config/types.ts";
import { Address } from "../dns/address.ts";
import { FLAG, RCODE } from "../dns/constants.ts";
import { BufferPool } from "./buffer_pool.ts";
import { Blocks } from "./chain/blocks.ts";
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
  NO_CHAIN,
  TCP,
  WAIT,
} from "./exchange/exchange.ts";
import { AnswerCounters } from "./exchange/answer_source.ts";
import type { AskedOrigin, DatagramOrigin, Origin, StreamOrigin } from "./exchange/origin.ts";
import { ExchangePool } from "./exchange/pool.ts";
import { NO_QUERY, parseQuery } from "./exchange/query_parser.ts";
import type { Creators, EngineServices } from "./handler.ts";
import type { Io } from "./io.ts";
import type { KernelHits } from "./kernel/kernel_hits.ts";
import { Memory } from "./memory.ts";
import type { ClientGroups } from "./observe/client_groups.ts";
import { Observer } from "./observe/observer.ts";
import type { ObserveRequest } from "./observe/requests.ts";
import { HashKey, hashOctets } from "./question/keyed_hash.ts";
import { isProbe } from "./question/probe.ts";
import { Response } from "./response/response.ts";
import { ResponseWriter } from "./response/writer.ts";
import { Timers } from "./timers.ts";

/** Largest message, length, and slack for word copies. */
const OUT_SIZE = 65535 + 2 + 8 + 7;

/** Half the smallest byte budget of streams. */
const POOL_BYTES = 8 * 2 ** 20;

/** Environment and bounds. */
export interface EngineOptions {
  io: Io;
  counters: CounterBook;
  random: () => number;
  handlers: Creators;
  log: EngineServices["log"];
  logsFields?: boolean;
  /** Milliseconds since 1970; absent: no wall time. */
  wallMs?: () => number;
  maxExchanges?: number;
  limits?: Partial<StreamLimits>;
  /** Keeps what `top` and `watch` show. */
  observes?: boolean;
  /** Publishes hits for a program in the kernel. */
  kernelHits?: KernelHits | null;
}

/** Far above the needs of the miss benchmark. */
const MAX_EXCHANGES = 6144;

/** The engine, as seen by drivers. */
export type Traffic = Pick<
  Engine,
  | "nowMs"
  | "timers"
  | "values"
  | "buffers"
  | "nextDeadlineMs"
  | "waiting"
  | "streams"
  | "runTimers"
  | "datagram"
>;

/** State machine of the data plane; has faces for handlers, drivers and control plane. */
export class Engine implements EngineServices {
  /** Monotonic; set by the driver, once a batch. */
  nowMs = 0;
  readonly timers = new Timers();
  readonly buffers = new BufferPool(POOL_BYTES);
  readonly writer = new ResponseWriter();
  readonly values: Float64Array;
  readonly counter: CounterBook["counter"];
  readonly histogram: CounterBook["histogram"];
  readonly random: () => number;
  readonly io: Io;
  readonly kernelHits: KernelHits | null;
  readonly log: EngineServices["log"];
  readonly logsFields: boolean;
  readonly wallMs: () => number;
  readonly hashKey: HashKey;
  readonly streams: ClientStreams;
  readonly blocks: Blocks;
  /** Null unless clients have names. */
  clients: ClientGroups | null = null;

  readonly #clientKey: HashKey;
  readonly #client = new Address();
  readonly #pool: ExchangePool;
  readonly #responses: ClientResponses;
  readonly #out = new Memory(OUT_SIZE);
  readonly #failure = new Response(new Memory(512));
  readonly #answers: AnswerCounters;
  readonly #observer: Observer | null;
  #current: Exchange;
  readonly #slot: DatagramOrigin = { kind: "slot", id: 0 };

  constructor(options: EngineOptions) {
    const { counters } = options;
    this.values = counters.values;
    this.counter = counters.counter.bind(counters);
    this.histogram = counters.histogram.bind(counters);
    this.random = options.random;
    this.io = options.io;
    this.kernelHits = options.kernelHits ?? null;
    this.kernelHits?.attach(this);
    this.log = options.log;
    this.logsFields = options.logsFields ?? false;
    this.wallMs = options.wallMs ?? (() => NaN);
    this.hashKey = HashKey.draw(options.random);
    this.#answers = new AnswerCounters(this.counter);
    this.#observer = options.observes === true ? new Observer(this, this.#answers.list) : null;
    this.blocks = new Blocks(options.handlers, this.#answers);
    this.#clientKey = HashKey.draw(options.random);
    this.#responses = new ClientResponses(this, HashKey.draw(options.random));
    this.#pool = new ExchangePool(options.maxExchanges ?? MAX_EXCHANGES);
    this.#current = this.#pool.fresh();
    this.streams = new ClientStreams(this, options.limits);
  }

  /** Listeners must keep their index (`alignListeners`). */
  configure(config: Config): void {
    this.blocks.configure(config, this);
    this.#responses.configure(config.listeners);
    this.streams.configure(config);
    this.kernelHits?.configure(config.listeners);
  }

  clientName(exchange: Exchange): string {
    return this.clients === null || exchange.internal ? "" : this.clients.nameOf(exchange);
  }

  /** Null unless queries are observed. */
  observe(request: ObserveRequest): unknown {
    return this.#observer?.answer(request) ?? null;
  }

  /** Of `runTimers`, or Infinity. */
  get nextDeadlineMs(): number {
    return this.streams.waiting ? this.nowMs : this.timers.nextMs;
  }

  /** Also reads from streams in turn. */
  runTimers(): void {
    this.timers.run(this.nowMs);
    this.streams.runTurns();
  }

  get waiting(): number {
    return this.#pool.used;
  }

  get exchanges(): number {
    return this.#pool.size;
  }

  /**
   * Returns the length of a UDP query's response, 0 for none yet; `outOffset` is a multiple of
   * eight with room for 4096 + 7 bytes.
   */
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
    return this.query(this.#slot, listener, memory, offset, length, out, outOffset);
  }

  park(exchange: Exchange): Exchange | null {
    const { origin } = exchange;
    if (exchange.parked || origin.kind === "internal") return exchange;
    // Only explained, not asked.
    if (origin.kind === "asked" || !this.#admit(exchange)) return null;
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

  askBelow(exchange: Exchange, position: number): boolean {
    if (!this.#admit(exchange)) return false;
    const internal = this.#pool.fresh();
    internal.beginInternal(exchange, position);
    if (this.#descend(internal, position + 1) !== WAIT) this.#finish(internal);
    return true;
  }

  /** Answers an operator's query, counted as nobody's; false if too many wait. */
  askFor(query: Exchange): boolean {
    if (!this.#admit(query)) return false;
    const exchange = this.#pool.fresh();
    exchange.beginAsked(query);
    const verdict = this.#descend(exchange, 0);
    if (verdict === DROP) exchange.response = null;
    if (verdict !== WAIT) this.#finish(exchange);
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
    if (origin.kind === "asked") return origin.client.family;
    return origin.kind === "stream" ? origin.family : this.io.family(origin.kind, origin.id);
  }

  clientAddress({ origin }: Exchange, target: Address): void {
    if (origin.kind === "internal") return;
    if (origin.kind === "asked") target.copy(origin.client);
    else this.io.address(origin.kind, origin.id, "client", target);
  }

  localAddress({ origin }: Exchange, target: Address): void {
    if (origin.kind === "internal") return;
    if (origin.kind === "asked") target.copy(origin.local);
    else this.io.address(origin.kind, origin.id, "local", target);
  }

  failure(exchange: Exchange, rcode: number): Response {
    this.#failure.begin(exchange, rcode, exchange.flags & (FLAG.OPCODE | FLAG.RD));
    return this.#failure;
  }

  /** As `datagram`, for up to 65,535 bytes. */
  query(
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
    exchange.receivedMs = this.nowMs;
    exchange.begin();
    const rcode = parseQuery(exchange, this.hashKey);
    if (rcode === NO_QUERY) {
      this.values[COUNTER.DROPPED]!++;
      return 0;
    }
    const route = this.blocks.route(exchange);
    exchange.chain = route?.chain ?? NO_CHAIN;
    if (rcode !== RCODE.NOERROR) return this.#refuse(exchange, rcode, out, outOffset);
    if (route === null || !route.chain.serves(exchange.qclass)) {
      return this.#refuse(exchange, RCODE.REFUSED, out, outOffset);
    }
    exchange.zone = route.zone;
    const verdict = this.#descend(exchange, 0);
    if (verdict === WAIT) return 0;
    const size = verdict === DROP ? 0 : this.#responses.write(exchange, out, outOffset);
    this.#ended(exchange, size);
    route.chain.sent(exchange, size);
    return size;
  }

  #refuse(exchange: Exchange, rcode: number, out: Memory, outOffset: number): number {
    exchange.response = this.failure(exchange, rcode);
    const length = this.#responses.write(exchange, out, outOffset);
    // Echo unknown opcodes (RFC 1035 section 4.1.1).
    const opcode = exchange.flags & FLAG.OPCODE;
    if (opcode !== 0) {
      out.view.setUint16(outOffset + 2, out.view.getUint16(outOffset + 2) | opcode);
    }
    if (isProbe(exchange)) {
      this.values[exchange.transport === TCP ? COUNTER.PROBES_TCP : COUNTER.PROBES]!++;
    } else {
      this.values[COUNTER.REFUSED]!++;
      exchange.zone = -1;
      exchange.answeredBy = -1;
      this.#ended(exchange, length);
      this.blocks.observers[exchange.listener]?.sent?.(exchange, length);
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
    return chain.rise(exchange, Infinity) ? WAIT : ANSWERED;
  }

  #finish(exchange: Exchange): void {
    const { origin } = exchange;
    if (origin.kind === "stream") this.#answerStream(exchange, origin);
    else if (origin.kind === "kept") this.#answerDatagram(exchange, origin.id);
    else if (origin.kind === "asked") this.#answerAsked(exchange, origin);
    this.#pool.release(exchange);
  }

  #ended(exchange: Exchange, sizeBytes: number): void {
    // May note what was counted before.
    if (this.#observer !== null) this.#observer.ended(exchange, sizeBytes);
    if (this.clients !== null) this.clients.count(exchange, sizeBytes);
    if (sizeBytes > 0) this.values[this.#answers.of(exchange)]!++;
  }

  #answerStream(exchange: Exchange, stream: StreamOrigin): void {
    const { response, chain } = exchange;
    let length = 0;
    stream.outstanding--;
    if (response !== null && !stream.gone) {
      length = this.#responses.write(exchange, this.#out, 8);
      this.#out.view.setUint16(6, length);
      stream.answer(this.#out, 6, length + 2);
    }
    this.#ended(exchange, length);
    chain.sent(exchange, length);
    stream.update();
  }

  #answerAsked(exchange: Exchange, origin: AskedOrigin): void {
    // The apparent client keeps its share.
    exchange.rate = null;
    const answered = exchange.response !== null;
    const length = answered ? this.#responses.write(exchange, this.#out, 0) : 0;
    origin.ended(exchange, answered ? this.#out.bytes.slice(0, length) : null);
  }

  #answerDatagram(exchange: Exchange, address: number): void {
    const { response, chain } = exchange;
    const sends = response !== null && !this.#responses.discards(exchange, response);
    const length = sends ? this.#responses.write(exchange, this.#out, 0) : 0;
    this.#ended(exchange, length);
    chain.sent(exchange, length);
    if (sends) this.io.reply(address, this.#out, 0, length);
    else this.io.forget(address);
  }
}
