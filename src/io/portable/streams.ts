import type { Traffic } from "../../engine/traffic.ts";
import { Memory } from "../../engine/memory.ts";
import type { Endpoint, StreamHandler } from "../../engine/io.ts";

const READ_SIZE = 65536;
/** What is read of a client's connection at a time, as in the Linux driver. */
const CLIENT_READ_SIZE = 2048;
/** Pause after an accept that failed (no descriptors left). */
const ACCEPT_PAUSE_MS = 100;
/** Time that a closing stream is given to send what is queued. */
const LINGER_MS = 5000;

interface Entry {
  /** Opened to an upstream, not accepted from a client. */
  outgoing: boolean;
  connection: Deno.TcpConn | null;
  handler: StreamHandler | null;
  queue: Uint8Array<ArrayBuffer>[];
  queued: number;
  writing: boolean;
  paused: boolean;
  resume: (() => void) | null;
  closing: boolean;
  finishing: boolean;
}

/** TCP streams on the runtime's own sockets. */
export class PortableStreams {
  readonly #engine: () => Traffic;
  readonly #run: (work: () => void) => void;
  readonly #entries: (Entry | null)[] = [];
  readonly #free: number[] = [];
  readonly #memory = new Memory(READ_SIZE);
  readonly #mostUpstreams: number;
  #upstreams = 0;
  #closed = false;

  /** @param mostUpstreams - streams to upstreams that may be open */
  constructor(engine: () => Traffic, run: (work: () => void) => void, mostUpstreams: number) {
    this.#engine = engine;
    this.#run = run;
    this.#mostUpstreams = mostUpstreams;
  }

  /** Accepts connections for a listener until the socket is closed. */
  listen(hostname: string, port: number, listener: number): Deno.TcpListener {
    const socket = Deno.listen({ hostname, port });
    void this.#accept(socket, listener);
    return socket;
  }

  connect(endpoint: Endpoint, handler: StreamHandler): number {
    if (this.#upstreams >= this.#mostUpstreams) return -1;
    this.#upstreams++;
    const id = this.#add(handler, true);
    const entry = this.#entries[id]!;
    Deno.connect({ hostname: endpoint.address.hostname(), port: endpoint.address.port }).then(
      (connection) => {
        if (this.#entries[id] !== entry) {
          connection.close();
          return;
        }
        entry.connection = connection;
        this.#run(() => entry.handler?.connected?.());
        void this.#read(id, entry, READ_SIZE);
        void this.#flush(id, entry);
      },
      (error) => this.#run(() => this.#broken(id, entry, reason(error))),
    );
    return id;
  }

  write(id: number, memory: Memory, offset: number, length: number): void {
    const entry = this.#entries[id];
    if (entry === null || entry === undefined) return;
    entry.queue.push(memory.bytes.slice(offset, offset + length));
    entry.queued += length;
    void this.#flush(id, entry);
  }

  queued(id: number): number {
    return this.#entries[id]?.queued ?? 0;
  }

  pause(id: number, paused: boolean): void {
    const entry = this.#entries[id];
    if (entry === null || entry === undefined) return;
    entry.paused = paused;
    if (!paused) {
      entry.resume?.();
      entry.resume = null;
    }
  }

  closeOne(id: number, abrupt: boolean): void {
    const entry = this.#entries[id];
    if (entry === null || entry === undefined) return;
    entry.handler = null;
    entry.closing = true;
    if (abrupt || entry.queued === 0) {
      this.#drop(id, entry);
      return;
    }
    const { timers, nowMs } = this.#engine();
    timers.set(timers.create(() => this.#drop(id, entry)), nowMs + LINGER_MS);
  }

  finish(id: number): void {
    const entry = this.#entries[id];
    if (entry === null || entry === undefined) return;
    entry.finishing = true;
    if (entry.queued === 0) void this.#endSending(entry);
  }

  address(id: number, side: "client" | "local"): Deno.NetAddr | null {
    const connection = this.#entries[id]?.connection;
    if (connection === null || connection === undefined) return null;
    return side === "client" ? connection.remoteAddr : connection.localAddr;
  }

  close(): void {
    this.#closed = true;
    this.#entries.forEach((entry, id) => {
      if (entry !== null) this.#drop(id, entry);
    });
  }

  #add(handler: StreamHandler | null, outgoing: boolean): number {
    const id = this.#free.pop() ?? this.#entries.length;
    this.#entries[id] = {
      outgoing,
      connection: null,
      handler,
      queue: [],
      queued: 0,
      writing: false,
      paused: false,
      resume: null,
      closing: false,
      finishing: false,
    };
    return id;
  }

  async #accept(socket: Deno.TcpListener, listener: number): Promise<void> {
    while (!this.#closed) {
      let connection: Deno.TcpConn;
      try {
        connection = await socket.accept();
      } catch (error) {
        // The listener is closed; anything else passes.
        if (error instanceof Deno.errors.BadResource) return;
        if (error instanceof Deno.errors.Interrupted) return;
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
        continue;
      }
      this.#run(() => {
        const id = this.#add(null, false);
        const entry = this.#entries[id]!;
        entry.connection = connection;
        entry.handler = this.#engine().accept(listener, id);
        if (entry.handler === null) this.#drop(id, entry);
        else void this.#read(id, entry, CLIENT_READ_SIZE);
      });
    }
  }

  async #read(id: number, entry: Entry, most: number): Promise<void> {
    const { buffers } = this.#engine();
    const buffer = buffers.take(most);
    const bytes = buffer.bytes.subarray(0, most);
    try {
      for (;;) {
        if (entry.paused) await new Promise<void>((resolve) => entry.resume = resolve);
        if (this.#entries[id] !== entry) return;
        const length = await entry.connection!.read(bytes);
        if (this.#entries[id] !== entry) return;
        if (length === null) {
          this.#run(() => entry.handler?.ended());
          return;
        }
        this.#run(() => {
          this.#memory.bytes.set(bytes.subarray(0, length));
          entry.handler?.data(this.#memory, 0, length);
        });
        if (this.#entries[id] !== entry) return;
      }
    } catch (error) {
      this.#run(() => this.#broken(id, entry, reason(error)));
    } finally {
      buffers.give(buffer);
    }
  }

  async #flush(id: number, entry: Entry): Promise<void> {
    if (entry.writing || entry.connection === null) return;
    entry.writing = true;
    try {
      for (let bytes = entry.queue.shift(); bytes !== undefined; bytes = entry.queue.shift()) {
        for (let at = 0; at < bytes.length;) {
          const taken = await entry.connection.write(bytes.subarray(at));
          at += taken;
          entry.queued -= taken;
        }
      }
      entry.writing = false;
      if (entry.closing) this.#drop(id, entry);
      else if (entry.finishing) await this.#endSending(entry);
      else this.#run(() => entry.handler?.drained?.());
    } catch (error) {
      this.#run(() => this.#broken(id, entry, reason(error)));
    }
  }

  async #endSending(entry: Entry): Promise<void> {
    try {
      await entry.connection?.closeWrite();
    } catch {
      // The peer has reset the connection, which reading tells.
    }
  }

  #broken(id: number, entry: Entry, why: string | undefined): void {
    if (this.#entries[id] !== entry) return;
    const { handler } = entry;
    this.#drop(id, entry);
    handler?.closed(why);
  }

  #drop(id: number, entry: Entry): void {
    if (this.#entries[id] !== entry) return;
    this.#entries[id] = null;
    this.#free.push(id);
    if (entry.outgoing) this.#upstreams--;
    entry.resume?.();
    try {
      entry.connection?.close();
    } catch {
      // Closed already by the peer's reset.
    }
  }
}

/** The system's reason in an error of the runtime, as the linux driver says it; else undefined. */
function reason(error: unknown): string | undefined {
  const [, text] = /^(.*) \(os error \d+\)$/.exec(error instanceof Error ? error.message : "") ??
    [];
  return text?.toLowerCase();
}
