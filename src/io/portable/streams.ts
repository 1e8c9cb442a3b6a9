import { IndexTable } from "../../base/index_table.ts";
import type { Traffic } from "../../engine/engine.ts";
import type { Endpoint, StreamHandler } from "../../engine/io.ts";
import { Memory } from "../../engine/memory.ts";
import type { DriverStream } from "../driver.ts";

const READ_SIZE = 65536;
/** As in the Linux driver. */
const CLIENT_READ_SIZE = 2048;
/** After a failed `accept` (no descriptors left). */
const ACCEPT_PAUSE_MS = 100;
const LINGER_MS = 5000;

/** TCP over the runtime's sockets. */
export class PortableStreams {
  readonly engine: () => Traffic;
  readonly run: (work: () => void) => void;
  readonly memory = new Memory(READ_SIZE);
  readonly #streams = new IndexTable<PortableStream>();
  readonly #maxUpstreams: number;
  #upstreams = 0;
  #closed = false;

  constructor(engine: () => Traffic, run: (work: () => void) => void, maxUpstreams: number) {
    this.engine = engine;
    this.run = run;
    this.#maxUpstreams = maxUpstreams;
  }

  listen(hostname: string, port: number, listener: number): Deno.TcpListener {
    const socket = Deno.listen({ hostname, port });
    void this.#accept(socket, listener);
    return socket;
  }

  connect({ address }: Endpoint, handler: StreamHandler): number {
    if (this.#upstreams >= this.#maxUpstreams) return -1;
    this.#upstreams++;
    const stream = this.#add(new PortableStream(this, READ_SIZE));
    stream.handler = handler;
    void stream.connect(Deno.connect({ hostname: address.hostname(), port: address.port }));
    return stream.id;
  }

  get(id: number): PortableStream | null {
    return this.#streams.get(id);
  }

  forget({ id, isClient }: PortableStream): void {
    this.#streams.remove(id);
    if (!isClient) this.#upstreams--;
  }

  close(): void {
    this.#closed = true;
    for (const stream of this.#streams) stream.drop();
  }

  #add(stream: PortableStream): PortableStream {
    stream.id = this.#streams.add(stream);
    return stream;
  }

  async #accept(socket: Deno.TcpListener, listener: number): Promise<void> {
    while (!this.#closed) {
      let connection: Deno.TcpConn;
      try {
        connection = await socket.accept();
      } catch (error) {
        // The listener is closed; other errors are temporary.
        if (error instanceof Deno.errors.BadResource) return;
        if (error instanceof Deno.errors.Interrupted) return;
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
        continue;
      }
      this.run(() => {
        const stream = this.#add(new PortableStream(this, CLIENT_READ_SIZE, connection));
        stream.handler = this.engine().streams.accept(listener, stream.id);
        if (stream.handler === null) stream.drop();
        else void stream.read();
      });
    }
  }
}

class PortableStream implements DriverStream {
  id = -1;
  readonly isClient: boolean;
  handler: StreamHandler | null = null;
  connection: Deno.TcpConn | null;
  readonly inKernel = 0;
  queued = 0;
  readonly #owner: PortableStreams;
  readonly #readSize: number;
  /** After the connection is open. */
  #writing: Promise<void> = Promise.resolve();
  #paused = false;
  #resume: (() => void) | null = null;
  #closed = false;
  #then: "nothing" | "finish" | "close" = "nothing";

  /** @param connection - null until `connected` */
  constructor(
    owner: PortableStreams,
    readSize: number,
    connection: Deno.TcpConn | null = null,
  ) {
    this.#owner = owner;
    this.#readSize = readSize;
    this.connection = connection;
    this.isClient = connection !== null;
  }

  get queueSize(): number {
    return this.queued;
  }

  async connect(connecting: Promise<Deno.TcpConn>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#writing = promise;
    try {
      const connection = await connecting;
      if (this.#closed) return connection.close();
      this.connection = connection;
      this.#owner.run(() => this.handler?.connected?.());
      void this.read();
      resolve();
    } catch (error) {
      this.fail(error);
    }
  }

  write(memory: Memory, offset: number, length: number): void {
    const bytes = memory.bytes.slice(offset, offset + length);
    this.queued += length;
    this.#writing = this.#writing.then(() => this.#write(bytes));
  }

  pause(paused: boolean): void {
    this.#paused = paused;
    if (paused) return;
    this.#resume?.();
    this.#resume = null;
  }

  close(abrupt: boolean): void {
    this.handler = null;
    this.#then = "close";
    if (abrupt || this.queued === 0) {
      this.drop();
      return;
    }
    const { timers, nowMs } = this.#owner.engine();
    timers.set(timers.create(() => this.drop()), nowMs + LINGER_MS);
  }

  finish(): void {
    this.#then = "finish";
    if (this.queued === 0) void this.#endSending();
  }

  drop(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#owner.forget(this);
    this.#resume?.();
    try {
      this.connection?.close();
    } catch {
      // Closed by the peer's reset.
    }
  }

  fail(error: unknown): void {
    this.#owner.run(() => {
      if (this.#closed) return;
      const { handler } = this;
      this.drop();
      handler?.closed(reason(error));
    });
  }

  async read(): Promise<void> {
    const { memory, run, engine } = this.#owner;
    const { buffers } = engine();
    const buffer = buffers.take(this.#readSize);
    const bytes = buffer.bytes.subarray(0, this.#readSize);
    try {
      while (!this.#closed) {
        if (this.#paused) {
          await new Promise<void>((resolve) => this.#resume = resolve);
          continue;
        }
        const length = await this.connection!.read(bytes);
        if (this.#closed) return;
        if (length === null) {
          run(() => this.handler?.ended());
          return;
        }
        run(() => {
          memory.bytes.set(bytes.subarray(0, length));
          this.handler?.data(memory, 0, length);
        });
      }
    } catch (error) {
      this.fail(error);
    } finally {
      buffers.give(buffer);
    }
  }

  async #write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#closed) return;
    try {
      for (let at = 0; at < bytes.length;) {
        const count = await this.connection!.write(bytes.subarray(at));
        at += count;
        this.queued -= count;
      }
      if (this.queued > 0) return;
      if (this.#then === "close") this.drop();
      else if (this.#then === "finish") await this.#endSending();
      else this.#owner.run(() => this.handler?.drained?.());
    } catch (error) {
      this.fail(error);
    }
  }

  async #endSending(): Promise<void> {
    try {
      await this.connection?.closeWrite();
    } catch {
      // A reset, which reading reports.
    }
  }
}

/** In the Linux driver's words. */
function reason(error: unknown): string | undefined {
  const message = error instanceof Error ? error.message : "";
  return /^(.*) \(os error \d+\)$/.exec(message)?.[1]?.toLowerCase();
}
