import { Buffer } from "node:buffer";
import * as codec from "dns-packet";
import { alignListeners } from "../../../src/config/align.ts";
import { loadConfig } from "../../../src/loading/load.ts";
import type { Config } from "../../../src/config/types.ts";
import { Address, parseAddress } from "../../../src/dns/address.ts";
import { CounterBook } from "../../../src/engine/counters.ts";
import { Engine, type EngineOptions } from "../../../src/engine/engine.ts";
import { Memory } from "../../../src/engine/memory.ts";
import type { DatagramHandler, Endpoint, Io, StreamHandler } from "../../../src/engine/io.ts";
import { HANDLERS } from "../engine/all_plugins.ts";
import { fakeHost } from "../doubles/fake_host.ts";
import { decode, type Decoded } from "../messages/messages.ts";
import { seeded } from "../run/random.ts";
import { type ClientOptions, SimulatedClient } from "./simulated_client.ts";

/** Wall clock at virtual time zero: 2026-01-01. */
export const WALL_MS = 1_767_225_600_000;
const CLIENT = "192.0.2.99";

export interface Arrival {
  /** Number of the TCP connection, or -1. */
  readonly connection: number;
  /** Open connections to this upstream, in the order of opening. */
  readonly connections: readonly number[];
  readonly nowMs: number;
}

/**
 * Returns an upstream's replies to a query, each with a delay. On a stream, `close` closes it
 * after the message, or instead of an empty one.
 */
export type Behaviour = (
  query: codec.DecodedPacket,
  transport: "udp" | "tcp",
  arrival?: Arrival,
) => { bytes: Uint8Array; delayMs?: number; close?: boolean }[] | "refuse";

export interface Asked {
  readonly bytes: Uint8Array;
  readonly atMs: number;
  readonly client: string;
  answers: { bytes: Uint8Array; atMs: number }[];
  onAnswer?: (bytes: Uint8Array) => void;
}

interface WayBack {
  listener: number;
  client: string;
  /** Changes a query on the way, except for its id. */
  change: (bytes: Uint8Array) => Uint8Array;
}

interface SimSocket {
  endpoint: Endpoint;
  handler: DatagramHandler | null;
  open: number;
}

interface SimStream {
  endpoint: Endpoint;
  handler: StreamHandler;
  buffer: number[];
}

/** A client's TCP connection under a test's control. */
export interface ClientStreamControl {
  send(bytes: Uint8Array): void;
  end(): void;
  reset(): void;
  /** Reads more, if the client does not read everything at once. */
  take(bytes: number): void;
  readonly received: Uint8Array[];
  finished(): boolean;
  closed(): boolean;
  closing(): "in order" | "abrupt" | null;
  queued(): number;
}

/**
 * The engine in virtual time. Clients and upstreams are functions, the network delays, and all
 * randomness comes from one seed.
 */
export class Simulation implements Io {
  readonly engine: Engine;
  readonly random: () => number;
  readonly logs: string[] = [];
  readonly counters: CounterBook;
  nowMs: number;
  readonly seen: string[] = [];
  lastSize = 0;
  connects = 0;
  connectMs = 1;
  lossPerMille = 0;

  readonly #behaviours = new Map<string, Behaviour>();
  readonly #waysBack = new Map<string, WayBack>();
  readonly #events: { atMs: number; order: number; run: () => void }[] = [];
  #order = 0;
  readonly #kept: (Asked | null)[] = [];
  readonly #sockets: SimSocket[] = [];
  readonly #streams: (SimStream | SimulatedClient | null)[] = [];
  readonly #in = new Memory(65536);
  readonly #out = new Memory(65536 + 64);
  readonly #reply = new Memory(65536 + 8192);
  #current: Asked | null = null;

  constructor(
    corefile: string,
    options: { seed?: number; startMs?: number } & Partial<EngineOptions> = {},
  ) {
    const { seed = 1, startMs = 1000, ...engineOptions } = options;
    this.nowMs = startMs;
    this.random = seeded(seed);
    this.counters = options.counters ?? new CounterBook(new SharedArrayBuffer(8 * 4096));
    this.engine = new Engine({
      io: this,
      counters: this.counters,
      random: this.random,
      handlers: HANDLERS,
      log: (level, line) => this.logs.push(`${level}: ${line}`),
      wallMs: () => WALL_MS + this.nowMs,
      ...engineOptions,
    });
    this.engine.nowMs = this.nowMs;
    this.#config = read(corefile);
    this.engine.configure(this.#config);
  }
  #config: Config;

  get config(): Config {
    return this.#config;
  }

  reload(corefile: string): void {
    const old = this.#config.listeners;
    this.#config = alignListeners(read(corefile), old);
    const { listeners } = this.#config;
    const gone = old.flatMap(({ address, port }, i) =>
      listeners[i]?.address === address && listeners[i].port === port ? [] : [i]
    );
    this.#enter(() => {
      this.engine.streams.retire(new Set(gone));
      this.engine.configure(this.#config);
    });
  }

  upstream(address: string, behaviour: Behaviour): void {
    this.#waysBack.delete(address);
    this.#behaviours.set(address, behaviour);
  }

  /** Returns datagrams to an address as a client's queries, and their answers to the sender. */
  leadBack(
    address: string,
    { listener = 0, client = "127.0.0.1", change = (bytes) => bytes }: Partial<WayBack> = {},
  ): void {
    this.#waysBack.set(address, { listener, client, change });
  }

  ask(bytes: Uint8Array, listener = 0, client = CLIENT): Asked {
    const asked: Asked = { bytes, atMs: this.nowMs, client, answers: [] };
    this.#enter(() => {
      this.#current = asked;
      this.#in.bytes.set(bytes);
      const length = this.engine.datagram(listener, 0, this.#in, 0, bytes.length, this.#out, 0);
      if (length > 0) this.#answered(asked, this.#out, 0, length);
      this.#current = null;
    });
    return asked;
  }

  openStream(listener = 0, options: ClientOptions = {}): ClientStreamControl {
    const client = new SimulatedClient(options);
    const id = this.#streams.push(client) - 1;
    this.#enter(() => {
      client.handler = this.engine.streams.accept(listener, id);
      if (client.handler === null && this.#streams[id] === client) this.#streams[id] = null;
    });
    const open = () => this.#streams[id] === client;
    return {
      send: (bytes) => {
        client.put(bytes);
        this.#read(id, client);
      },
      end: () => {
        client.end();
        this.#read(id, client);
      },
      reset: () => {
        if (!open()) return;
        client.broken = true;
        this.#streams[id] = null;
        this.#enter(() => client.handler?.closed());
      },
      take: (bytes) => {
        const drained = client.take(bytes);
        if (drained && open()) this.#enter(() => client.handler?.drained?.());
      },
      received: client.received,
      finished: () => client.finished,
      closed: () => !open(),
      closing: () => client.closing,
      queued: () => client.queued,
    };
  }

  #read(id: number, client: SimulatedClient): void {
    while (client.readable && this.#streams[id] === client) {
      const bytes = client.read();
      this.#enter(() => {
        this.#in.bytes.set(bytes);
        if (bytes.length > 0) client.handler?.data(this.#in, 0, bytes.length);
        else client.handler?.ended();
      });
    }
  }

  run(durationMs: number): void {
    const untilMs = this.nowMs + durationMs;
    for (;;) {
      this.#events.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
      const event = this.#events[0];
      const timerMs = this.engine.nextDeadlineMs;
      const nextMs = Math.min(event?.atMs ?? Infinity, timerMs);
      if (nextMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, nextMs);
      if (event !== undefined && event.atMs <= timerMs) {
        this.#events.shift();
        this.#enter(event.run);
      } else {
        this.#enter(() => {});
      }
    }
    this.nowMs = untilMs;
    this.#enter(() => {});
  }

  leap(durationMs: number): void {
    this.nowMs += durationMs;
  }

  get openUpstream(): number {
    return this.#sockets.filter(({ handler }) => handler !== null).length +
      this.#streams.filter((stream) => stream !== null && !isClient(stream)).length;
  }

  get held(): Record<string, number> {
    return {
      waiting: this.engine.waiting,
      exchanges: this.engine.exchanges,
      timers: this.engine.timers.size,
      clientStreams: this.engine.streams.size,
      streamBytes: this.engine.streams.bytes,
      upstreamSockets: this.openUpstream,
      returnAddresses: this.keptCount,
      returnPlaces: this.#kept.length,
      socketPlaces: this.#sockets.length,
      series: this.counters.places.length,
      cacheBytes: this.count("nodens_cache_bytes"),
      arenaBytes: this.count("nodens_cache_arena_bytes"),
      entries: this.count("coredns_cache_entries"),
    };
  }

  get keptCount(): number {
    return this.#kept.filter((asked) => asked !== null).length;
  }

  count(name: string): number {
    return this.counters.places.filter((place) => place.name === name)
      .reduce((sum, { index }) => sum + this.counters.values[index]!, 0);
  }

  keep(_slot: number): number {
    const index = this.#kept.indexOf(null);
    if (index < 0) return this.#kept.push(this.#current) - 1;
    this.#kept[index] = this.#current;
    return index;
  }

  reply(returnAddress: number, memory: Memory, offset: number, length: number): void {
    this.#answered(this.#kept[returnAddress]!, memory, offset, length);
    this.#kept[returnAddress] = null;
  }

  forget(returnAddress: number): void {
    this.#kept[returnAddress] = null;
  }

  connect(endpoint: Endpoint, handler: StreamHandler): number {
    this.connects++;
    const stream: SimStream = { endpoint, handler, buffer: [] };
    const id = this.#streams.push(stream) - 1;
    const there = this.#behaviours.has(where(endpoint));
    this.#later(this.connectMs, () => {
      if (this.#streams[id] !== stream) return;
      if (there) {
        handler.connected?.();
      } else {
        this.#streams[id] = null;
        handler.closed();
      }
    });
    return id;
  }

  write(id: number, memory: Memory, offset: number, length: number): void {
    const stream = this.#streams[id];
    if (stream === null || stream === undefined) return;
    if (isClient(stream)) {
      stream.write(memory.bytes.subarray(offset, offset + length));
      return;
    }
    for (let i = 0; i < length; i++) stream.buffer.push(memory.bytes[offset + i]!);
    while (stream.buffer.length >= 2) {
      const size = (stream.buffer[0]! << 8) | stream.buffer[1]!;
      if (stream.buffer.length < size + 2) return;
      this.#upstreamFrame(id, stream, Uint8Array.from(stream.buffer.splice(0, size + 2).slice(2)));
    }
  }

  queued(id: number): number {
    return this.#client(id)?.queued ?? 0;
  }

  queueSize(id: number): number {
    return this.queued(id);
  }

  inKernel(id: number): number {
    return this.#client(id)?.inKernel ?? 0;
  }

  pause(id: number, paused: boolean): void {
    const client = this.#client(id);
    if (client === null) return;
    client.paused = paused;
    if (!paused) this.#later(0, () => this.#read(id, client));
  }

  close(id: number, abrupt = false): void {
    const client = this.#client(id);
    if (client !== null) client.closing = abrupt ? "abrupt" : "in order";
    this.#streams[id] = null;
  }

  #client(id: number): SimulatedClient | null {
    const stream = this.#streams[id];
    return stream !== null && stream !== undefined && isClient(stream) ? stream : null;
  }

  finish(id: number): void {
    const client = this.#client(id);
    if (client !== null) client.finished = true;
  }

  open(endpoint: Endpoint, handler: DatagramHandler): number {
    let index = this.#sockets.findIndex((socket) => socket.handler === null);
    if (index < 0) index = this.#sockets.push({ endpoint, handler: null, open: 0 }) - 1;
    const socket = this.#sockets[index]!;
    socket.endpoint = endpoint;
    socket.handler = handler;
    socket.open++;
    return index;
  }

  send(index: number, memory: Memory, offset: number, length: number): boolean {
    const socket = this.#sockets[index]!;
    const { open } = socket;
    const bytes = memory.bytes.slice(offset, offset + length);
    const address = where(socket.endpoint);
    const back = this.#waysBack.get(address);
    if (back !== undefined) {
      this.#note("udp", address, decode(bytes));
      this.#later(1, () => {
        const asked = this.ask(back.change(bytes), back.listener, back.client);
        asked.onAnswer = (reply) => this.#deliver(socket, open, reply, 1);
        for (const answer of asked.answers) asked.onAnswer(answer.bytes);
      });
      return true;
    }
    const behaviour = this.#behaviours.get(address);
    if (behaviour === undefined || this.#lost()) return true;
    const query = decode(bytes);
    this.lastSize = length;
    this.#note("udp", address, query);
    const { nowMs } = this;
    const sent = behaviour(query, "udp", { connection: -1, connections: [], nowMs });
    if (sent === "refuse") {
      this.#later(1, () => {
        if (socket.open === open) socket.handler?.failed();
      });
      return true;
    }
    for (const { bytes: reply, delayMs = 1 } of sent) {
      if (this.#lost()) continue;
      this.#deliver(socket, open, reply, delayMs);
    }
    return true;
  }

  #deliver(socket: SimSocket, open: number, reply: Uint8Array, delayMs: number): void {
    this.#later(delayMs, () => {
      if (socket.open !== open || socket.handler === null) return;
      this.#reply.bytes.set(reply);
      socket.handler.reply(this.#reply, reply.length);
    });
  }

  release(index: number): void {
    this.#sockets[index]!.handler = null;
  }

  family(of: "slot" | "kept" | "stream", reference: number): 4 | 6 {
    const address = new Address();
    this.address(of, reference, "client", address);
    return address.family;
  }

  address(
    of: "slot" | "kept" | "stream",
    reference: number,
    side: "client" | "local",
    target: Address,
  ): void {
    const asked = of === "slot"
      ? this.#current
      : of === "kept"
      ? this.#kept[reference]
      : this.#client(reference);
    const address = parseAddress(side === "client" ? asked?.client ?? CLIENT : "192.0.2.1")!;
    target.family = address.length === 16 ? 6 : 4;
    target.bytes.set(address);
    target.port = side === "client" ? 40000 : 53;
  }

  #upstreamFrame(id: number, stream: SimStream, frame: Uint8Array): void {
    const address = where(stream.endpoint);
    const behaviour = this.#behaviours.get(address);
    if (behaviour === undefined) return;
    const query = decode(frame);
    this.lastSize = frame.length;
    this.#note("tcp", address, query);
    const connections = this.#streams.flatMap((one, i) =>
      one !== null && "endpoint" in one && where(one.endpoint) === address ? [i] : []
    );
    const sent = behaviour(query, "tcp", { connection: id, connections, nowMs: this.nowMs });
    if (sent === "refuse") {
      this.#later(1, () => this.#break(id, stream));
      return;
    }
    for (const { bytes, delayMs = 1, close } of sent) {
      this.#later(delayMs, () => {
        if (this.#streams[id] !== stream) return;
        if (bytes.length === 0) {
          this.#break(id, stream);
          return;
        }
        const whole = new Memory(bytes.length + 16);
        whole.view.setUint16(0, bytes.length);
        whole.bytes.set(bytes, 2);
        // In two pieces, as TCP may.
        const half = 1 + (this.random() % (bytes.length + 1));
        stream.handler.data(whole, 0, half);
        if (this.#streams[id] === stream) {
          stream.handler.data(whole, half, bytes.length + 2 - half);
        }
        if (close === true) this.#break(id, stream);
      });
    }
  }

  #break(id: number, stream: SimStream): void {
    if (this.#streams[id] !== stream) return;
    this.#streams[id] = null;
    stream.handler.closed();
  }

  #note(transport: string, address: string, query: codec.DecodedPacket): void {
    const question = query.questions![0]!;
    this.seen.push(`${transport} ${address} ${question.name.toLowerCase()} ${question.type}`);
  }

  #answered(asked: Asked, memory: Memory, offset: number, length: number): void {
    const bytes = memory.bytes.slice(offset, offset + length);
    asked.answers.push({ bytes, atMs: this.nowMs });
    asked.onAnswer?.(bytes);
  }

  #lost(): boolean {
    return this.random() % 1000 < this.lossPerMille;
  }

  #later(delayMs: number, run: () => void): void {
    this.#events.push({ atMs: this.nowMs + delayMs, order: this.#order++, run });
  }

  #enter(work: () => void): void {
    this.engine.nowMs = this.nowMs;
    work();
    if (this.engine.nextDeadlineMs <= this.nowMs) this.engine.runTimers();
  }
}

/** The only answer to a query, decoded. Throws if there is not exactly one. */
export function onlyAnswer(asked: Asked): Decoded {
  if (asked.answers.length !== 1) {
    throw new Error(`${asked.answers.length} answers instead of one`);
  }
  return decode(asked.answers[0]!.bytes);
}

/** A DNS message framed for TCP. */
export function frame(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(
    Buffer.concat([Uint8Array.of(bytes.length >> 8, bytes.length & 255), bytes]),
  );
}

function isClient(stream: SimStream | SimulatedClient): stream is SimulatedClient {
  return stream instanceof SimulatedClient;
}

function where({ address }: Endpoint): string {
  return `${address.hostname()}:${address.port}`;
}

function read(corefile: string): Config {
  return loadConfig({ file: "Corefile", text: corefile, defaultPort: 53 }, fakeHost()).config;
}
