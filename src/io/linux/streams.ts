import { Address } from "../../dns/address.ts";
import type { BufferPool } from "../../engine/buffer_pool.ts";
import type { Traffic } from "../../engine/traffic.ts";
import { Memory } from "../../engine/memory.ts";
import { AF, EPOLL, ERRNO, SO, SOCK, SOL, TCP_NODELAY } from "../../sys/constants.ts";
import { errnoText, lastErrno, type Libc } from "../../sys/libc.ts";
import { markSocket } from "../../sys/mark.ts";
import { readSockaddr, scopeIndex, SOCKADDR_SIZE, writeSockaddr } from "../../sys/sockaddr.ts";
import type { Endpoint, StreamHandler } from "../../engine/io.ts";
import type { BoundSocket } from "../sockets.ts";
import type { Poller, PollTarget } from "./poller.ts";
import { NO_MEMORY, Stream, type StreamOwner } from "./stream.ts";

const READ_SIZE = 65536;
/**
 * Buffers that the kernel is told to have for a client's connection; it takes up to twice as much.
 * By itself it lets a client that does not read fill megabytes, of the control group's memory. 32 KiB
 * on the way at a time are 640 KiB a second over a link of 50 ms.
 */
const CLIENT_BUFFER_BYTES = 32 * 1024;
/** Connections accepted from one listener before others get their turn. */
const ACCEPTS = 16;
/** Pause after an accept that failed although a connection waits (no descriptors left). */
const ACCEPT_PAUSE_MS = 100;

/** All TCP streams, accepted and opened. */
export class Streams implements StreamOwner {
  readonly libc: Libc;
  readonly poller: Poller;
  readonly readBuffer = new Memory(READ_SIZE);
  readonly #engine: () => Traffic;
  readonly #mark: number;
  readonly #mostUpstreams: number;
  #upstreams = 0;
  readonly #streams: (Stream | null)[] = [];
  readonly #free: number[] = [];
  readonly #on = new Int32Array([1]);
  readonly #name = new Memory(SOCKADDR_SIZE);
  readonly #nameSize = new Uint32Array([SOCKADDR_SIZE]);

  /**
   * `mark` is the SO_MARK of what streams to upstreams send, 0 for none; `mostUpstreams` how many of
   * them may be open.
   */
  constructor(
    libc: Libc,
    poller: Poller,
    engine: () => Traffic,
    { mark, mostUpstreams }: { mark: number; mostUpstreams: number },
  ) {
    this.libc = libc;
    this.poller = poller;
    this.#engine = engine;
    this.#mark = mark;
    this.#mostUpstreams = mostUpstreams;
  }

  get buffers(): BufferPool {
    return this.#engine().buffers;
  }

  /** What epoll calls when connections wait on a listening socket. */
  listener(socket: BoundSocket): PollTarget {
    // Accepted connections inherit these.
    const size = new Int32Array([CLIENT_BUFFER_BYTES]);
    this.libc.setsockopt(socket.fd, SOL.SOCKET, SO.SNDBUF, size, 4);
    this.libc.setsockopt(socket.fd, SOL.SOCKET, SO.RCVBUF, size, 4);
    const target = {
      ready: () => {
        // Another process that has the same socket may have been faster.
        if (this.#accept(socket) > 0 || lastErrno() === ERRNO.AGAIN) return;
        // Level-triggered events would come at once again.
        this.poller.modify(socket.fd, 0);
        this.after(ACCEPT_PAUSE_MS, () => {
          if (this.poller.watches(socket.fd, target)) this.poller.modify(socket.fd, EPOLL.IN);
        });
      },
    };
    return target;
  }

  /** Accepts every connection that waits on a listening socket. */
  drain(socket: BoundSocket): void {
    while (this.#accept(socket) === ACCEPTS);
  }

  /** Opens a stream to an upstream. */
  connect(endpoint: Endpoint, handler: StreamHandler): number {
    if (this.#upstreams >= this.#mostUpstreams) return -1;
    const domain = endpoint.address.family === 4 ? AF.INET : AF.INET6;
    const fd = this.libc.socket(domain, SOCK.STREAM | SOCK.NONBLOCK | SOCK.CLOEXEC, 0);
    if (fd < 0) return -1;
    if (!this.#prepare(fd, endpoint.source)) {
      this.libc.close(fd);
      return -1;
    }
    endpoint.address.scope = scopeIndex(this.libc, endpoint.scope);
    const name = this.#name.bytes;
    const begun = this.libc.connect(fd, name, writeSockaddr(endpoint.address, name));
    const errno = begun < 0 ? lastErrno() : ERRNO.INPROGRESS;
    if (NO_MEMORY.includes(errno)) {
      this.libc.close(fd);
      return -1;
    }
    const fault = errno === ERRNO.INPROGRESS ? null : errnoText(errno);
    this.#upstreams++;
    return this.#add(fd, { client: null, fault, handler }).id;
  }

  /** The stream of this number. */
  get(id: number): Stream | null {
    return this.#streams[id] ?? null;
  }

  /** Reads the peer's or the local address of a stream. */
  address(id: number, side: "client" | "local", target: Address): void {
    const stream = this.#streams[id];
    if (stream === null || stream === undefined) return;
    if (side === "client" && stream.client !== null) {
      copyAddress(stream.client, target);
      return;
    }
    this.#nameSize[0] = SOCKADDR_SIZE;
    const read = side === "client" ? this.libc.getpeername : this.libc.getsockname;
    if (read(stream.fd, this.#name.bytes, this.#nameSize) === 0) {
      readSockaddr(this.#name.view, 0, target);
    }
  }

  forget({ id, client }: Stream): void {
    this.#streams[id] = null;
    this.#free.push(id);
    if (client === null) this.#upstreams--;
  }

  after(ms: number, act: () => void): void {
    const { timers, nowMs } = this.#engine();
    timers.set(timers.create(act), nowMs + ms);
  }

  /** Closes all streams at once. */
  close(): void {
    for (const stream of this.#streams) stream?.drop();
  }

  #add(
    fd: number,
    { client, fault = null, handler }: {
      client: Address | null;
      fault?: string | null;
      handler: StreamHandler | null;
    },
  ): Stream {
    const id = this.#free.pop() ?? this.#streams.length;
    const stream = new Stream(this, fd, { id, client, fault });
    stream.handler = handler;
    this.#streams[id] = stream;
    return stream;
  }

  /** Marks and binds a socket to an upstream. */
  #prepare(fd: number, source: Address | null): boolean {
    if (this.#mark !== 0 && !markSocket(this.libc, fd, this.#mark)) return false;
    this.libc.setsockopt(fd, SOL.TCP, TCP_NODELAY, this.#on, 4);
    const name = this.#name.bytes;
    return source === null || this.libc.bind(fd, name, writeSockaddr(source, name)) === 0;
  }

  /** Returns how many connections were accepted. */
  #accept(socket: BoundSocket): number {
    for (let i = 0; i < ACCEPTS; i++) {
      this.#nameSize[0] = SOCKADDR_SIZE;
      const fd = this.libc.accept4(
        socket.fd,
        this.#name.bytes,
        this.#nameSize,
        SOCK.NONBLOCK | SOCK.CLOEXEC,
      );
      if (fd < 0) return i;
      this.libc.setsockopt(fd, SOL.TCP, TCP_NODELAY, this.#on, 4);
      this.#take(fd, socket.listener);
    }
    return ACCEPTS;
  }

  /**
   * Hands a client's connection to the engine, which may refuse it. The client's address is in
   * `#name`: the kernel forgets it as soon as the client is gone.
   */
  #take(fd: number, listener: number): void {
    const client = new Address();
    readSockaddr(this.#name.view, 0, client);
    const stream = this.#add(fd, { client, handler: null });
    try {
      stream.handler = this.#engine().accept(listener, stream.id);
    } finally {
      if (stream.handler === null) stream.drop();
    }
  }
}

function copyAddress(from: Address, to: Address): void {
  to.family = from.family;
  to.bytes.set(from.bytes);
  to.port = from.port;
  to.scope = from.scope;
}
