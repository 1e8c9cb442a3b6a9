import { loadConfig } from "../../src/loading/load.ts";
import type { HostView } from "../../src/config/host.ts";
import type { Config } from "../../src/config/types.ts";
import { CounterBook } from "../../src/engine/counters.ts";
import { Engine } from "../../src/engine/engine.ts";
import { Memory } from "../../src/engine/memory.ts";
import { type SaveReply, SNAPSHOT_START } from "../../src/plugins/cache/persist/requests.ts";
import { MAX_SLICE_SIZE } from "../../src/plugins/cache/persist/snapshot_file.ts";
import { HANDLERS } from "../../tests/support/engine/all_plugins.ts";
import type { Agenda } from "./agenda.ts";
import { EngineIo } from "./engine_io.ts";
import { type NameBook, OUTCOME, type Outcome, outcomeOf, type Query } from "./names.ts";
import type { Servers } from "./servers.ts";
import type { NodeDns } from "./stub.ts";

/** Maximum UDP response plus slack for word copies. */
const OUT_SIZE = 4096 + 8;
const COUNTERS_SIZE = 8 * 4096;

/** An empty machine, for reproducible runs. */
const NO_HOST: HostView = {
  env: () => undefined,
  readTextFile: (path) => {
    throw new Error(`Cannot read "${path}": a simulated node has no files`);
  },
  kindOf: () => null,
  readDirectory: () => [],
  absolute: (path) => path,
  hostname: () => "node",
  interfaces: () => [],
};

/** Reads the nodes' Corefile. */
export function readCorefile(text: string): Config {
  return loadConfig({ file: "Corefile", text, defaultPort: 53 }, NO_HOST).config;
}

/** nodens' engine, cache and forward in virtual time. */
export class EngineNode implements NodeDns {
  readonly #agenda: Agenda;
  readonly #options: {
    servers: Servers;
    book: NameBook;
    config: Config;
    persists: boolean;
    random: () => number;
  };
  readonly #in = new Memory(512);
  readonly #out = new Memory(OUT_SIZE);
  #engine!: Engine;
  #io!: EngineIo;
  #id = 0;
  #timerMs = Infinity;
  /** Snapshots of each cache by block and position. */
  #kept: { block: number; position: number; bytes: Uint8Array }[] = [];

  /** @param options.persists - caches survive a restart */
  constructor(
    agenda: Agenda,
    options: {
      servers: Servers;
      book: NameBook;
      config: Config;
      persists: boolean;
      random: () => number;
    },
  ) {
    this.#agenda = agenda;
    this.#options = options;
    this.start(0);
  }

  ask(query: Query, client: number, done: (outcome: Outcome) => void): Outcome {
    let outcome: Outcome = OUTCOME.WAITS;
    this.#enter(() => {
      const { bytes, view } = this.#in;
      bytes.set(query.wire);
      view.setUint16(0, this.#id = (this.#id + 1) & 0xffff);
      this.#io.client = client;
      this.#io.done = done;
      const length = this.#engine.datagram(0, 0, this.#in, 0, query.wire.length, this.#out, 0);
      if (length > 0) outcome = outcomeOf(this.#out.bytes, 0);
    });
    return outcome;
  }

  stop(): void {
    this.#kept = this.#options.persists ? this.#save() : [];
    this.#io.stop();
  }

  start(downMs: number): void {
    const { servers, book, config, random } = this.#options;
    const io = new EngineIo(this.#agenda, {
      servers,
      book,
      enter: (work) => this.#enter(work, io),
    });
    this.#io = io;
    this.#engine = new Engine({
      io,
      counters: new CounterBook(new SharedArrayBuffer(COUNTERS_SIZE)),
      random: () => Math.floor(random() * 2 ** 32),
      handlers: HANDLERS,
      log: () => {},
    });
    this.#timerMs = Infinity;
    this.#engine.nowMs = this.#agenda.nowMs;
    this.#engine.configure(config);
    this.#load(downMs);
  }

  /** Runs the engine, then updates timers and notifies clients. */
  #enter(work: () => void, io = this.#io): void {
    if (io !== this.#io) return;
    const engine = this.#engine;
    engine.nowMs = this.#agenda.nowMs;
    work();
    if (engine.nextDeadlineMs <= this.#agenda.nowMs) engine.runTimers();
    if (engine.nextDeadlineMs < this.#timerMs) this.#setTimer(engine.nextDeadlineMs, io);
    // Clients may query again at once.
    for (const { done, outcome } of io.answered.splice(0)) done(outcome);
  }

  #setTimer(atMs: number, io: EngineIo): void {
    this.#timerMs = atMs;
    this.#agenda.at(atMs, () => {
      if (io !== this.#io || this.#timerMs !== atMs) return;
      this.#timerMs = Infinity;
      this.#enter(() => {}, io);
    });
  }

  #save(): { block: number; position: number; bytes: Uint8Array }[] {
    const memory = new SharedArrayBuffer(MAX_SLICE_SIZE);
    const slices = [];
    this.#engine.nowMs = this.#agenda.nowMs;
    for (const { block, position } of this.#caches()) {
      for (let from: SaveReply["next"] = SNAPSHOT_START; from !== null;) {
        const request = { type: "save", memory, from };
        const reply = this.#engine.blocks.ask(block, position, request) as SaveReply;
        const bytes = new Uint8Array(reply.sizeBytes);
        bytes.set(new Uint8Array(memory, 0, reply.sizeBytes));
        if (reply.entries > 0) slices.push({ block, position, bytes });
        from = reply.next;
      }
    }
    return slices;
  }

  #load(downMs: number): void {
    for (const { block, position, bytes } of this.#kept) {
      const memory = new SharedArrayBuffer(MAX_SLICE_SIZE);
      new Uint8Array(memory).set(bytes);
      this.#engine.blocks.ask(block, position, {
        type: "load",
        memory,
        sizeBytes: bytes.length,
        from: 0,
        most: Infinity,
        elapsedTenths: Math.round(downMs / 100),
      });
    }
  }

  *#caches(): Generator<{ block: number; position: number }> {
    for (const [block, { plugins }] of this.#options.config.blocks.entries()) {
      const position = plugins.findIndex(({ name }) => name === "cache");
      if (position >= 0) yield { block, position };
    }
  }
}
