import { type Address, parseAddress } from "../../src/dns/address.ts";
import { Memory } from "../../src/engine/memory.ts";
import type { DatagramHandler, Endpoint, Io, StreamHandler } from "../../src/engine/io.ts";
import type { Agenda } from "./agenda.ts";
import { type NameBook, type Outcome, outcomeOf } from "./names.ts";
import type { Servers } from "./servers.ts";

/** Upstreams in the nodes' Corefile, distinguished by their first octet. */
export const CLUSTER_DNS = "10.96.0.11";
export const OUTSIDE = "192.0.2.53";

const CLUSTER_BYTES = parseAddress(CLUSTER_DNS)!;
/** A response of the model, followed by the engine's tables. */
const REPLY_SIZE = 512 + 8192;

type Done = (outcome: Outcome) => void;

interface Socket {
  endpoint: Endpoint;
  handler: DatagramHandler | null;
  /** Answers to an earlier use are dropped. */
  life: number;
}

interface Stream {
  readonly endpoint: Endpoint;
  readonly handler: StreamHandler;
  buffer: Uint8Array;
}

/** The environment of one engine, with simulated clients and upstreams. */
export class EngineIo implements Io {
  /** Client of the present query. */
  client = 0;
  done: Done = () => {};
  /** Answered clients, notified once the engine has returned. */
  readonly answered: { done: Done; outcome: Outcome }[] = [];

  readonly #agenda: Agenda;
  readonly #servers: Servers;
  readonly #book: NameBook;
  readonly #enter: (work: () => void) => void;
  readonly #waiting: ({ done: Done; client: number } | null)[] = [];
  readonly #freePlaces: number[] = [];
  readonly #sockets: Socket[] = [];
  readonly #freeSockets: number[] = [];
  readonly #streams = new Map<number, Stream>();
  readonly #reply = new Memory(REPLY_SIZE);
  #nextStream = 0;
  #stopped = false;

  constructor(
    agenda: Agenda,
    options: { servers: Servers; book: NameBook; enter: (work: () => void) => void },
  ) {
    this.#agenda = agenda;
    this.#servers = options.servers;
    this.#book = options.book;
    this.#enter = options.enter;
  }

  /** The node goes down; work in flight is lost. */
  stop(): void {
    this.#stopped = true;
  }

  keep(_slot: number): number {
    const place = this.#freePlaces.pop() ?? this.#waiting.length;
    this.#waiting[place] = { done: this.done, client: this.client };
    return place;
  }

  reply(place: number, memory: Memory, offset: number, _length: number): void {
    const { done } = this.#waiting[place]!;
    this.forget(place);
    this.answered.push({ done, outcome: outcomeOf(memory.bytes, offset) });
  }

  forget(place: number): void {
    this.#waiting[place] = null;
    this.#freePlaces.push(place);
  }

  connect(endpoint: Endpoint, handler: StreamHandler): number {
    const id = this.#nextStream++;
    const stream = { endpoint, handler, buffer: new Uint8Array(0) };
    this.#streams.set(id, stream);
    const latencyMs = this.#servers.knock();
    if (latencyMs >= 0) this.#later(latencyMs, () => this.#of(id, stream)?.connected?.());
    return id;
  }

  write(id: number, memory: Memory, offset: number, length: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    const { buffer } = stream;
    const bytes = new Uint8Array(buffer.length + length);
    bytes.set(buffer);
    bytes.set(memory.bytes.subarray(offset, offset + length), buffer.length);
    let at = 0;
    while (bytes.length - at >= 2) {
      const size = (bytes[at]! << 8) | bytes[at + 1]!;
      if (bytes.length - at - 2 < size) break;
      this.#ask(stream.endpoint, bytes.subarray(at + 2, at + 2 + size), (response) => {
        const handler = this.#of(id, stream);
        if (handler === null) return;
        this.#reply.view.setUint16(0, response.length);
        this.#reply.bytes.set(response, 2);
        handler.data(this.#reply, 0, response.length + 2);
      });
      at += size + 2;
    }
    stream.buffer = bytes.slice(at);
  }

  queued(_stream: number): number {
    return 0;
  }

  queueSize(_id: number): number {
    return 0;
  }

  inKernel(_id: number): number {
    return 0;
  }

  pause(_stream: number, _paused: boolean): void {}

  close(stream: number): void {
    this.#streams.delete(stream);
  }

  finish(_stream: number): void {}

  open(endpoint: Endpoint, handler: DatagramHandler): number {
    const index = this.#freeSockets.pop() ??
      this.#sockets.push({ endpoint, handler: null, life: 0 }) - 1;
    const socket = this.#sockets[index]!;
    socket.endpoint = endpoint;
    socket.handler = handler;
    socket.life++;
    return index;
  }

  send(index: number, memory: Memory, offset: number, length: number): boolean {
    const socket = this.#sockets[index]!;
    const { life } = socket;
    this.#ask(socket.endpoint, memory.bytes.subarray(offset, offset + length), (response) => {
      if (socket.life !== life || socket.handler === null) return;
      this.#reply.bytes.set(response);
      socket.handler.reply(this.#reply, response.length);
    });
    return true;
  }

  release(index: number): void {
    this.#sockets[index]!.handler = null;
    this.#freeSockets.push(index);
  }

  family(): 4 | 6 {
    return 4;
  }

  address(
    of: "slot" | "kept" | "stream",
    reference: number,
    side: "client" | "local",
    target: Address,
  ): void {
    const client = of === "kept" ? this.#waiting[reference]?.client ?? 0 : this.client;
    target.family = 4;
    target.bytes.set([10, 244, 0, side === "client" ? client + 2 : 1]);
    target.port = side === "client" ? 40_000 : 53;
  }

  /** Queries an upstream; `take` receives the answer with the query's id. */
  #ask(endpoint: Endpoint, bytes: Uint8Array, take: (response: Uint8Array) => void): void {
    const query = this.#book.find(bytes);
    const inCluster = endpoint.address.bytes[0] === CLUSTER_BYTES[0];
    const latencyMs = inCluster ? this.#servers.askCluster(query) : this.#servers.askOutside();
    if (latencyMs < 0) return;
    const response = query === undefined ? answerOf(bytes) : query.response.slice();
    response[0] = bytes[0]!;
    response[1] = bytes[1]!;
    this.#later(latencyMs, () => take(response));
  }

  #of(id: number, stream: Stream): StreamHandler | null {
    return this.#streams.get(id) === stream ? stream.handler : null;
  }

  #later(delayMs: number, work: () => void): void {
    this.#agenda.after(delayMs, () => {
      if (!this.#stopped) this.#enter(work);
    });
  }
}

/** Empty answer to a health check. */
function answerOf(query: Uint8Array): Uint8Array {
  let end = 12;
  while (query[end] !== 0) end += query[end]! + 1;
  const response = query.slice(0, end + 5);
  response.set([0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0], 2);
  return response;
}
