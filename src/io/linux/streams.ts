import { Address } from "../../dns/address.ts";
import type { Engine } from "../../engine/engine.ts";
import { Memory } from "../../engine/memory.ts";
import {
  AF,
  EPOLL,
  MSG,
  SHUT_WR,
  SIOCOUTQ,
  SO,
  SOCK,
  SOL,
  TCP_NODELAY,
  TCP_USER_TIMEOUT,
} from "../../sys/constants.ts";
import { errnoText, lastErrorText, type Libc } from "../../sys/libc.ts";
import { markSocket } from "../../sys/mark.ts";
import { readSockaddr, scopeIndex, SOCKADDR_SIZE, writeSockaddr } from "../../sys/sockaddr.ts";
import type { Endpoint, StreamHandler } from "../contract.ts";
import type { BoundSocket } from "./listen.ts";
import type { Poller, PollTarget } from "./poller.ts";

const READ_SIZE = 65536;
/**
 * What is read of a client's connection at a time: some forty queries, as many as an event is to
 * cost others. epoll reports the rest again.
 */
const CLIENT_READ_SIZE = 2048;
/**
 * Buffers that the kernel is told to have for a client's connection; it takes up to twice as much.
 * By itself it lets a client that does not read fill megabytes, of the control group's memory. 32 KiB
 * on the way at a time are 640 KiB a second over a link of 50 ms.
 */
const CLIENT_BUFFER_BYTES = 32 * 1024;
/** Time after which the kernel gives up what a client does not take of a connection that was closed. */
const KEEP_TIME_MS = 10_000;
/** Reads from a connection to an upstream that is gone. */
const LAST_READS = 64;
/** Connections accepted from one listener before others get their turn. */
const ACCEPTS = 16;
/** Pause after an accept that failed although a connection waits (no descriptors left). */
const ACCEPT_PAUSE_MS = 100;
/** Time that a closing stream is given to send what is queued. */
const LINGER_MS = 5000;

/** TCP streams, accepted and opened: non-blocking reads, queued writes. */
export class Streams {
  readonly libc: Libc;
  readonly poller: Poller;
  readonly buffer = new Memory(READ_SIZE);
  readonly #engine: () => Engine;
  readonly #mark: number;
  readonly #mostUpstreams: number;
  #upstreams = 0;
  readonly #streams: (Stream | null)[] = [];
  readonly #free: number[] = [];
  readonly #on = new Int32Array([1]);
  /** `struct linger`: on, no time; what is queued is discarded and the peer told. */
  readonly #discard = new Int32Array([1, 0]);
  readonly #keepTime = new Int32Array([KEEP_TIME_MS]);
  readonly #value = new Int32Array(1);
  readonly #valueSize = new Uint32Array([4]);
  readonly #name = new Memory(SOCKADDR_SIZE);
  readonly #nameSize = new Uint32Array([SOCKADDR_SIZE]);

  /**
   * `mark` is the SO_MARK of what streams to upstreams send, 0 for none; `mostUpstreams` how many of
   * them may be open.
   */
  constructor(
    libc: Libc,
    poller: Poller,
    engine: () => Engine,
    { mark, mostUpstreams }: { mark: number; mostUpstreams: number },
  ) {
    this.libc = libc;
    this.poller = poller;
    this.#engine = engine;
    this.#mark = mark;
    this.#mostUpstreams = mostUpstreams;
  }

  /** What epoll calls when connections wait on a listening socket. */
  listener(socket: BoundSocket): PollTarget {
    // Accepted connections inherit these.
    const size = new Int32Array([CLIENT_BUFFER_BYTES]);
    this.libc.setsockopt(socket.fd, SOL.SOCKET, SO.SNDBUF, size, 4);
    this.libc.setsockopt(socket.fd, SOL.SOCKET, SO.RCVBUF, size, 4);
    const target = {
      ready: () => {
        if (this.#accept(socket) > 0) return;
        // Level-triggered events would come at once again.
        this.poller.modify(socket.fd, 0);
        const { timers, nowMs } = this.#engine();
        const again = timers.create(() => {
          if (this.poller.watches(socket.fd, target)) this.poller.modify(socket.fd, EPOLL.IN);
        });
        timers.set(again, nowMs + ACCEPT_PAUSE_MS);
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
    if (this.#mark !== 0 && !markSocket(this.libc, fd, this.#mark)) {
      this.libc.close(fd);
      return -1;
    }
    this.libc.setsockopt(fd, SOL.TCP, TCP_NODELAY, this.#on, 4);
    const name = new Uint8Array(SOCKADDR_SIZE);
    if (endpoint.source !== null) {
      const length = writeSockaddr(endpoint.source, name);
      if (this.libc.bind(fd, name, length) < 0) {
        this.libc.close(fd);
        return -1;
      }
    }
    endpoint.address.scope = scopeIndex(this.libc, endpoint.scope);
    // -1 means "under way" or "refused at once"; the first event tells which, but not why.
    const begun = this.libc.connect(fd, name, writeSockaddr(endpoint.address, name));
    const stream = this.#add(fd, null);
    if (begun < 0) stream.connectError = lastErrorText(this.libc);
    this.#upstreams++;
    stream.handler = handler;
    this.poller.add(fd, EPOLL.IN | EPOLL.OUT, stream);
    return stream.id;
  }

  /** The stream of this number. */
  get(id: number): Stream | null {
    return this.#streams[id] ?? null;
  }

  /** Whether a stream without an error is connected. */
  isConnected(fd: number): boolean {
    this.#nameSize[0] = SOCKADDR_SIZE;
    return this.libc.getpeername(fd, this.#name.bytes, this.#nameSize) === 0;
  }

  /** The error that a stream has met since it was last asked, or null. */
  takeError(fd: number): string | null {
    this.#valueSize[0] = 4;
    this.libc.getsockopt(fd, SOL.SOCKET, SO.ERROR, this.#value, this.#valueSize);
    const errno = this.#value[0]!;
    return errno === 0 ? null : errnoText(errno);
  }

  /**
   * Whether a connection that was there still is. Tells a `send` that failed for good from one that
   * has to wait without errno, which V8 may have changed.
   */
  isOpen(fd: number): boolean {
    this.#nameSize[0] = SOCKADDR_SIZE;
    return this.libc.getpeername(fd, this.#name.bytes, this.#nameSize) === 0;
  }

  /** Bytes sent that the peer has not acknowledged. */
  inKernel(fd: number): number {
    this.#value[0] = 0;
    return this.libc.ioctl(fd, SIOCOUTQ, this.#value) === 0 ? this.#value[0]! : 0;
  }

  /** Takes a buffer for what a stream has to queue. */
  takeBuffer(sizeBytes: number): Memory {
    return this.#engine().streams.buffers.take(sizeBytes);
  }

  /** Takes such a buffer back. */
  giveBuffer(memory: Memory): void {
    this.#engine().streams.buffers.give(memory);
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

  /** Closes the descriptor and forgets the stream. */
  drop(stream: Stream, discard = false): void {
    if (this.#streams[stream.id] !== stream) return;
    if (discard) {
      this.libc.setsockopt(stream.fd, SOL.SOCKET, SO.LINGER, this.#discard, 8);
    } else if (stream.client !== null) {
      this.libc.setsockopt(stream.fd, SOL.TCP, TCP_USER_TIMEOUT, this.#keepTime, 4);
    }
    this.#streams[stream.id] = null;
    this.#free.push(stream.id);
    if (stream.client === null) this.#upstreams--;
    stream.dropQueue();
    this.poller.remove(stream.fd);
    this.libc.close(stream.fd);
  }

  /** Drops the stream when it is still closing after a while. */
  linger(stream: Stream): void {
    const { timers, nowMs } = this.#engine();
    timers.set(timers.create(() => this.drop(stream)), nowMs + LINGER_MS);
  }

  /** Closes all streams at once. */
  close(): void {
    for (const stream of this.#streams) if (stream !== null) this.drop(stream);
  }

  #add(fd: number, client: Address | null): Stream {
    const id = this.#free.pop() ?? this.#streams.length;
    const stream = new Stream(this, fd, id, client);
    this.#streams[id] = stream;
    return stream;
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
    const stream = this.#add(fd, client);
    stream.handler = this.#engine().accept(listener, stream.id);
    this.poller.add(fd, EPOLL.IN, stream);
    if (stream.handler === null) this.drop(stream);
  }
}

/** One TCP connection. */
export class Stream implements PollTarget {
  readonly fd: number;
  readonly id: number;
  /** Address of the client; null for a stream to an upstream. */
  readonly client: Address | null;
  handler: StreamHandler | null = null;
  /** What the call to connect said; it may only have said that it has begun. */
  connectError: string | null = null;
  readonly #owner: Streams;
  #connected: boolean;
  #ended = false;
  #paused = false;
  /** What comes once all that is queued has left. */
  #then: "nothing" | "finish" | "close" = "nothing";
  /** The peer is gone; epoll is about to say so. Nothing is queued for it any more. */
  #dead = false;
  #watched: number;
  #queue: Memory | null = null;
  #queueStart = 0;
  #queueEnd = 0;

  constructor(owner: Streams, fd: number, id: number, client: Address | null) {
    this.#owner = owner;
    this.fd = fd;
    this.id = id;
    this.client = client;
    this.#connected = client !== null;
    this.#watched = this.#connected ? EPOLL.IN : EPOLL.IN | EPOLL.OUT;
  }

  /** Bytes that wait to be sent. */
  get queued(): number {
    return this.#queueEnd - this.#queueStart;
  }

  /** Bytes of memory that those take. */
  get queueSize(): number {
    return this.#queue === null ? 0 : this.#queue.bytes.length;
  }

  /** Bytes sent that the peer has not taken. */
  get inKernel(): number {
    return this.#dead ? 0 : this.#owner.inKernel(this.fd);
  }

  ready(events: number): void {
    if (!this.#connected) {
      const error = this.#owner.takeError(this.fd);
      if (error !== null || !this.#owner.isConnected(this.fd)) {
        this.#broken(error ?? this.connectError);
        return;
      }
      this.#connected = true;
      this.handler?.connected?.();
      this.#flush();
    } else if ((events & EPOLL.OUT) !== 0) {
      this.#flush();
      if (this.queued === 0 && !this.#dead && this.#then !== "close") this.handler?.drained?.();
    }
    const gone = (events & (EPOLL.ERR | EPOLL.HUP)) !== 0;
    if (gone) {
      // What an upstream sent before it went is still there. A client has no use for answers; but
      // where both sides have ended in order, closing with something unread would be a reset.
      if (this.client === null || this.#then === "finish") {
        for (let i = 0; i < LAST_READS && this.handler !== null && this.#read(); i++);
      }
      this.#broken(this.#owner.takeError(this.fd));
      return;
    }
    if ((events & EPOLL.IN) !== 0 && !this.#paused) this.#read();
    this.#watch();
  }

  write(memory: Memory, offset: number, length: number): void {
    if (this.#dead) return;
    let sent = 0;
    if (this.#connected && this.queued === 0) {
      const bytes = offset === 0 ? memory.bytes : memory.bytes.subarray(offset);
      sent = this.#send(bytes, length);
      if (sent === length || this.#dead) return;
    }
    this.#enqueue(memory.bytes, offset + sent, length - sent);
    this.#watch();
  }

  pause(paused: boolean): void {
    this.#paused = paused;
    this.#watch();
  }

  close(abrupt: boolean): void {
    this.handler = null;
    if (abrupt || this.queued === 0 || !this.#connected) {
      this.#owner.drop(this, abrupt);
      return;
    }
    this.#then = "close";
    this.#watch();
    this.#owner.linger(this);
  }

  /** Ends sending once what is queued has left; reading goes on. */
  finish(): void {
    this.#then = "finish";
    if (this.queued === 0) this.#owner.libc.shutdown(this.fd, SHUT_WR);
  }

  /** Forgets what waits to be sent. */
  dropQueue(): void {
    if (this.#queue !== null) this.#owner.giveBuffer(this.#queue);
    this.#queue = null;
    this.#queueStart = 0;
    this.#queueEnd = 0;
  }

  /** Hands on what has come; false where nothing had. */
  #read(): boolean {
    const { buffer, libc } = this.#owner;
    const most = this.client === null ? READ_SIZE : CLIENT_READ_SIZE;
    const length = libc.recv(this.fd, buffer.bytes, most, MSG.DONTWAIT);
    if (length > 0) {
      this.handler?.data(buffer, 0, length);
    } else if (length === 0 && !this.#ended) {
      this.#ended = true;
      this.handler?.ended();
    }
    return length > 0;
  }

  /** Sends what the kernel takes and returns how much; marks a stream whose peer is gone. */
  #send(bytes: Uint8Array<ArrayBuffer>, length: number): number {
    const sent = this.#owner.libc.send(this.fd, bytes, length, MSG.DONTWAIT | MSG.NOSIGNAL);
    if (sent >= 0) return sent;
    if (!this.#owner.isOpen(this.fd)) {
      this.#dead = true;
      this.dropQueue();
    }
    return 0;
  }

  #flush(): void {
    const queue = this.#queue;
    if (queue === null || this.queued === 0) return;
    const bytes = queue.bytes.subarray(this.#queueStart, this.#queueEnd);
    this.#queueStart += this.#send(bytes, bytes.length);
    if (this.queued > 0) return;
    this.dropQueue();
    if (this.#then === "close") this.#owner.drop(this);
    else if (this.#then === "finish") this.#owner.libc.shutdown(this.fd, SHUT_WR);
  }

  #enqueue(bytes: Uint8Array, offset: number, length: number): void {
    const waiting = this.queued;
    let queue = this.#queue;
    if (queue === null || this.#queueEnd + length > queue.bytes.length) {
      queue = this.#owner.takeBuffer(waiting + length);
      if (this.#queue !== null) {
        queue.bytes.set(this.#queue.bytes.subarray(this.#queueStart, this.#queueEnd));
        this.#owner.giveBuffer(this.#queue);
      }
      this.#queue = queue;
      this.#queueStart = 0;
      this.#queueEnd = waiting;
    }
    queue.bytes.set(bytes.subarray(offset, offset + length), this.#queueEnd);
    this.#queueEnd += length;
  }

  /** Tells epoll what this stream waits for now. */
  #watch(): void {
    if (this.#owner.get(this.id) !== this) return;
    const reading = !this.#ended && !this.#paused && this.#then !== "close";
    const writing = this.queued > 0 || !this.#connected;
    const wanted = (reading ? EPOLL.IN : 0) | (writing ? EPOLL.OUT : 0);
    if (wanted === this.#watched) return;
    this.#watched = wanted;
    this.#owner.poller.modify(this.fd, wanted);
  }

  #broken(why: string | null): void {
    if (this.#owner.get(this.id) !== this) return;
    const { handler } = this;
    this.handler = null;
    this.#owner.drop(this);
    handler?.closed(why ?? undefined);
  }
}

function copyAddress(from: Address, to: Address): void {
  to.family = from.family;
  to.bytes.set(from.bytes);
  to.port = from.port;
  to.scope = from.scope;
}
