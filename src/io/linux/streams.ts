import { IndexTable } from "../../base/index_table.ts";
import { Address } from "../../dns/address.ts";
import type { BufferPool } from "../../engine/buffer_pool.ts";
import type { Traffic } from "../../engine/engine.ts";
import type { Endpoint, StreamHandler } from "../../engine/io.ts";
import { Memory } from "../../engine/memory.ts";
import { EPOLL, ERRNO, SO, SOCK, SOL, TCP } from "../../sys/constants.ts";
import { errnoText, lastErrno, type Libc } from "../../sys/libc.ts";
import { markSocket, setOption } from "../../sys/socket_options.ts";
import {
  openSocket,
  readLocalAddress,
  readSockaddr,
  scopeIndex,
  SOCKADDR_SIZE,
  writeSockaddr,
} from "../../sys/sockaddr.ts";
import type { BoundSocket } from "../sockets.ts";
import type { Poller, PollTarget } from "./poller.ts";
import { NO_MEMORY, Stream, type StreamOwner } from "./stream.ts";

const READ_SIZE = 65536;
/** Enough for 640 KiB/s at 50 ms. */
const CLIENT_BUFFER_BYTES = 32 * 1024;
/** Before other events. */
const ACCEPTS = 16;
/** After a failed `accept` (no descriptors left). */
const ACCEPT_PAUSE_MS = 100;

/** TCP streams, accepted and opened. */
export class Streams implements StreamOwner {
  readonly libc: Libc;
  readonly poller: Poller;
  readonly readBuffer = new Memory(READ_SIZE);
  readonly #engine: () => Traffic;
  readonly #mark: number;
  readonly #maxUpstreams: number;
  #upstreams = 0;
  readonly #streams = new IndexTable<Stream>();
  readonly #on = new Int32Array([1]);
  readonly #name = new Memory(SOCKADDR_SIZE);
  readonly #nameSize = new Uint32Array([SOCKADDR_SIZE]);

  constructor(
    libc: Libc,
    poller: Poller,
    engine: () => Traffic,
    { mark, maxUpstreams }: { mark: number; maxUpstreams: number },
  ) {
    this.libc = libc;
    this.poller = poller;
    this.#engine = engine;
    this.#mark = mark;
    this.#maxUpstreams = maxUpstreams;
  }

  get buffers(): BufferPool {
    return this.#engine().buffers;
  }

  target(socket: BoundSocket): PollTarget {
    // Inherited by accepted connections.
    for (const buffer of [SO.SNDBUF, SO.RCVBUF]) {
      setOption(this.libc, socket.fd, SOL.SOCKET, buffer, CLIENT_BUFFER_BYTES);
    }
    const target = {
      ready: () => {
        // EAGAIN: another process was faster.
        if (this.#accept(socket) > 0 || lastErrno() === ERRNO.AGAIN) return;
        // Else epoll would report it at once.
        this.poller.modify(socket.fd, 0);
        this.after(ACCEPT_PAUSE_MS, () => {
          if (this.poller.watches(socket.fd, target)) this.poller.modify(socket.fd, EPOLL.IN);
        });
      },
    };
    return target;
  }

  drain(socket: BoundSocket): void {
    while (this.#accept(socket) === ACCEPTS);
  }

  connect({ address, scope, source }: Endpoint, handler: StreamHandler): number {
    if (this.#upstreams >= this.#maxUpstreams) return -1;
    const fd = openSocket(this.libc, address, SOCK.STREAM);
    if (fd < 0) return -1;
    if (!this.#prepare(fd, source)) {
      this.libc.close(fd);
      return -1;
    }
    address.scope = scopeIndex(this.libc, scope);
    const name = this.#name.bytes;
    const begun = this.libc.connect(fd, name, writeSockaddr(address, name));
    const errno = begun < 0 ? lastErrno() : ERRNO.INPROGRESS;
    if (NO_MEMORY.includes(errno)) {
      this.libc.close(fd);
      return -1;
    }
    const fault = errno === ERRNO.INPROGRESS ? null : errnoText(errno);
    this.#upstreams++;
    const stream = this.#add(new Stream(this, fd, null, fault));
    stream.handler = handler;
    return stream.id;
  }

  get(id: number): Stream | null {
    return this.#streams.get(id);
  }

  address(id: number, side: "client" | "local", target: Address): void {
    const stream = this.#streams.get(id);
    if (stream === null || stream.client === null) return;
    if (side === "local") return void readLocalAddress(this.libc, stream.fd, target);
    const { client } = stream;
    target.family = client.family;
    target.bytes.set(client.bytes);
    target.port = client.port;
    target.scope = client.scope;
  }

  forget({ id, client }: Stream): void {
    this.#streams.remove(id);
    if (client === null) this.#upstreams--;
  }

  after(ms: number, act: () => void): void {
    const { timers, nowMs } = this.#engine();
    timers.set(timers.create(act), nowMs + ms);
  }

  close(): void {
    for (const stream of this.#streams) stream.drop();
  }

  #add(stream: Stream): Stream {
    stream.id = this.#streams.add(stream);
    return stream;
  }

  #prepare(fd: number, source: Address | null): boolean {
    if (this.#mark !== 0 && !markSocket(this.libc, fd, this.#mark)) return false;
    this.libc.setsockopt(fd, SOL.TCP, TCP.NODELAY, this.#on, 4);
    const name = this.#name.bytes;
    return source === null || this.libc.bind(fd, name, writeSockaddr(source, name)) === 0;
  }

  #accept({ fd: listening, listener }: BoundSocket): number {
    for (let i = 0; i < ACCEPTS; i++) {
      this.#nameSize[0] = SOCKADDR_SIZE;
      const name = this.#name.bytes;
      const flags = SOCK.NONBLOCK | SOCK.CLOEXEC;
      const fd = this.libc.accept4(listening, name, this.#nameSize, flags);
      if (fd < 0) return i;
      this.libc.setsockopt(fd, SOL.TCP, TCP.NODELAY, this.#on, 4);
      // A disconnected client has no address.
      const client = new Address();
      readSockaddr(this.#name.view, 0, client);
      this.#offer(this.#add(new Stream(this, fd, client)), listener);
    }
    return ACCEPTS;
  }

  #offer(stream: Stream, listener: number): void {
    try {
      stream.handler = this.#engine().streams.accept(listener, stream.id);
    } finally {
      if (stream.handler === null) stream.drop();
    }
  }
}
