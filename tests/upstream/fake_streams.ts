import { CLASS, FLAG, HEADER_SIZE, TYPE } from "../../src/dns/constants.ts";
import { parseName } from "../../src/dns/name.ts";
import { Address } from "../../src/dns/address.ts";
import { COUNTER } from "../../src/engine/counters.ts";
import type { EngineServices } from "../../src/engine/handler.ts";
import { Memory } from "../../src/engine/memory.ts";
import { Timers } from "../../src/engine/timers.ts";
import type { StreamHandler } from "../../src/engine/io.ts";
import { Connections, type ConnectionsOptions } from "../../src/upstream/transport/connections.ts";
import { Outgoing, type TransportHandler } from "../../src/upstream/transport/outgoing.ts";

/** Time after which a query is cancelled, like a server's read timeout. */
export const READ_TIMEOUT_MS = 2000;
export const PATIENCE_MS = 100;

/** A query over connections, and its outcome. */
export class FakeQuery implements TransportHandler {
  readonly name: string;
  readonly outgoing: Outgoing;
  /** "answered", a failure's reason, "cancelled" or "timed out"; null while in flight. */
  outcome: string | null = null;
  readonly #onEnd: (query: FakeQuery) => void;

  /** `onEnd` cancels it, since it may be on two connections. */
  constructor(name: string, onEnd: (query: FakeQuery) => void) {
    this.name = name;
    this.#onEnd = onEnd;
    this.outgoing = new Outgoing(this);
    const { bytes, view } = this.outgoing.packet;
    const wire = parseName(name);
    bytes.set(wire, HEADER_SIZE);
    view.setUint16(2, FLAG.RD);
    view.setUint16(4, 1);
    view.setUint16(HEADER_SIZE + wire.length, TYPE.A);
    view.setUint16(HEADER_SIZE + wire.length + 2, CLASS.IN);
    this.outgoing.questionLength = wire.length + 4;
    this.outgoing.length = HEADER_SIZE + wire.length + 4;
  }

  replied(): void {
    this.end("answered");
  }

  failed({ why }: { why: string }): void {
    this.end(why);
  }

  end(outcome: string): void {
    if (this.outcome !== null) {
      throw new Error(`"${this.name}" ended twice: ${this.outcome}, then ${outcome}`);
    }
    this.outcome = outcome;
    this.#onEnd(this);
  }
}

/** The server's end of a stream. */
export interface FakeStream {
  readonly handler: StreamHandler;
  state: "connecting" | "open" | "closed";
  readonly unanswered: { name: string; frame: Uint8Array }[];
}

/** The connections under test and their server, which the test controls. */
export class FakeStreams {
  readonly streams: FakeStream[] = [];
  readonly queries: FakeQuery[] = [];
  readonly connections: Connections;
  /** Accept connections once time passes. */
  accepting = true;
  /** Fail to open streams. */
  refusing = false;
  /** Fail to send, without fault of the server. */
  busy = false;
  /** Messages with a query's id that do not answer it. */
  strays = 0;
  /** Called for each query that the server gets. */
  onQuery: (stream: FakeStream, name: string) => void = () => {};
  readonly #engine;
  readonly #values = new Float64Array(64);
  readonly #timers = new Timers();

  constructor(options: Partial<ConnectionsOptions> & { random?: () => number } = {}) {
    const { random = () => 0x12345678, ...others } = options;
    const io = {
      connect: (_: unknown, handler: StreamHandler) => this.#connect(handler),
      write: (stream: number, memory: Memory, offset: number, length: number) =>
        this.#write(stream, memory.bytes.slice(offset, offset + length)),
      queued: () => 0,
      hasRoom: () => !this.busy,
      close: (stream: number) => {
        this.streams[stream]!.state = "closed";
      },
    };
    this.#engine = { nowMs: 0, timers: this.#timers, io, random, values: this.#values };
    this.connections = new Connections(this.#engine as unknown as EngineServices, {
      endpoint: { address: new Address(), scope: "", source: null, tls: null },
      max: 4,
      maxHandshakes: Infinity,
      maxIdleConns: 0,
      expireMs: 10_000,
      maxAgeMs: 0,
      patienceMs: () => PATIENCE_MS,
      count: () => {},
      mismatched: () => this.strays++,
      ...others,
    });
  }

  get late(): number {
    return this.#values[COUNTER.UNEXPECTED_TCP]!;
  }

  /** Queries that could not be sent because of `busy`. */
  get unsent(): number {
    return this.#values[COUNTER.TLS_UNSENT]!;
  }

  get nowMs(): number {
    return this.#engine.nowMs;
  }

  get open(): number {
    return this.streams.filter(({ state }) => state !== "closed").length;
  }

  get idle(): boolean {
    return this.#timers.nextMs === Infinity;
  }

  get layout(): string[] {
    return this.streams.filter(({ state }) => state !== "closed")
      .map(({ unanswered }) => unanswered.map(({ name }) => name).join(" "));
  }

  /** Asks each name once, then lets a moment pass. */
  ask(...names: string[]): FakeQuery[] {
    const asked = names.map((name) => {
      const timer = this.#timers.create(() => this.cancel(query, true));
      const query: FakeQuery = new FakeQuery(name, () => {
        this.#timers.clear(timer);
        this.connections.cancel(query.outgoing, false);
      });
      this.queries.push(query);
      const failure = this.connections.send(query.outgoing);
      if (failure !== null) query.end(failure.why);
      else this.#timers.set(timer, this.nowMs + READ_TIMEOUT_MS);
      return query;
    });
    this.run(1);
    return asked;
  }

  cancel(query: FakeQuery, late = false): void {
    this.connections.cancel(query.outgoing, late);
    query.end(late ? "timed out" : "cancelled");
  }

  /** Answers a name on the connection that asked last. */
  answer(...names: string[]): void {
    for (const name of names) {
      const stream = this.streams.findLast(({ state, unanswered }) =>
        state === "open" && unanswered.some((one) => one.name === name)
      );
      if (stream === undefined) throw new Error(`"${name}" is not asked anywhere`);
      this.answerOn(stream, name);
    }
  }

  answerOn(stream: FakeStream, name: string): void {
    const place = stream.unanswered.findIndex((one) => one.name === name);
    const [asked] = stream.unanswered.splice(place, 1);
    this.send(stream, asked!.frame);
  }

  send(stream: FakeStream, frame: Uint8Array): void {
    const memory = new Memory(frame.length);
    memory.bytes.set(frame);
    memory.bytes[4]! |= 0x80;
    stream.handler.data(memory, 0, frame.length);
  }

  end(stream: FakeStream, reset = false): void {
    if (stream.state === "closed") return;
    if (reset) {
      stream.state = "closed";
      stream.handler.closed();
    } else {
      stream.handler.ended();
    }
  }

  run(durationMs: number): void {
    const untilMs = this.nowMs + durationMs;
    for (;;) {
      this.#accept();
      const nextMs = this.#timers.nextMs;
      if (nextMs > untilMs) break;
      this.#engine.nowMs = Math.max(this.nowMs, nextMs);
      this.#timers.run(this.nowMs);
    }
    this.#engine.nowMs = untilMs;
  }

  #accept(): void {
    if (!this.accepting) return;
    for (const stream of [...this.streams]) {
      if (stream.state !== "connecting") continue;
      stream.state = "open";
      stream.handler.connected?.();
    }
  }

  #connect(handler: StreamHandler): number {
    if (this.refusing) return -1;
    return this.streams.push({ handler, state: "connecting", unanswered: [] }) - 1;
  }

  #write(id: number, frame: Uint8Array): void {
    const stream = this.streams[id]!;
    const name = new TextDecoder().decode(
      frame.slice(2 + HEADER_SIZE + 1, 2 + HEADER_SIZE + 1 + frame[2 + HEADER_SIZE]!),
    );
    stream.unanswered.push({ name, frame });
    this.onQuery(stream, name);
  }
}
