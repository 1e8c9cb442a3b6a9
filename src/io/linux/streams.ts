import type { Address } from "../../dns/address.ts";
import type { Engine } from "../../engine/engine.ts";
import { Memory } from "../../engine/memory.ts";
import { AF, EPOLL, MSG, SHUT_WR, SO, SOCK, SOL, TCP_NODELAY } from "../../sys/constants.ts";
import { errnoText, lastErrorText, type Libc } from "../../sys/libc.ts";
import { markSocket } from "../../sys/mark.ts";
import { readSockaddr, scopeIndex, SOCKADDR_SIZE, writeSockaddr } from "../../sys/sockaddr.ts";
import type { Endpoint, StreamHandler } from "../contract.ts";
import type { BoundSocket } from "./listen.ts";
import type { Poller, PollTarget } from "./poller.ts";

const READ_SIZE = 65536;
/** Reads from a connection that is gone. */
const LAST_READS = 64;
/** Connections accepted from one listener before others get their turn. */
const ACCEPTS = 64;
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
    const stream = this.#add(fd, true);
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

  /** Reads the peer's or the local address of a stream. */
  address(id: number, side: "client" | "local", target: Address): void {
    const stream = this.#streams[id];
    if (stream === null || stream === undefined) return;
    this.#nameSize[0] = SOCKADDR_SIZE;
    const read = side === "client" ? this.libc.getpeername : this.libc.getsockname;
    if (read(stream.fd, this.#name.bytes, this.#nameSize) === 0) {
      readSockaddr(this.#name.view, 0, target);
    }
  }

  /** Closes the descriptor and forgets the stream. */
  drop(stream: Stream): void {
    if (this.#streams[stream.id] !== stream) return;
    this.#streams[stream.id] = null;
    this.#free.push(stream.id);
    if (stream.outgoing) this.#upstreams--;
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

  #add(fd: number, outgoing: boolean): Stream {
    const id = this.#free.pop() ?? this.#streams.length;
    const stream = new Stream(this, fd, id, outgoing);
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

  /** Hands a client's connection to the engine, which may refuse it. */
  #take(fd: number, listener: number): void {
    const stream = this.#add(fd, false);
    stream.handler = this.#engine().accept(listener, stream.id);
    this.poller.add(fd, EPOLL.IN, stream);
    if (stream.handler === null) this.drop(stream);
  }
}

/** One TCP connection. */
export class Stream implements PollTarget {
  readonly fd: number;
  readonly id: number;
  /** Opened to an upstream, not accepted from a client. */
  readonly outgoing: boolean;
  handler: StreamHandler | null = null;
  /** What the call to connect said; it may only have said that it has begun. */
  connectError: string | null = null;
  readonly #owner: Streams;
  #connected: boolean;
  #ended = false;
  #paused = false;
  #closing = false;
  #finishing = false;
  #watched: number;
  #queue: Uint8Array<ArrayBuffer> | null = null;
  #queueStart = 0;
  #queueEnd = 0;

  constructor(owner: Streams, fd: number, id: number, outgoing: boolean) {
    this.#owner = owner;
    this.fd = fd;
    this.id = id;
    this.outgoing = outgoing;
    this.#connected = !outgoing;
    this.#watched = outgoing ? EPOLL.IN | EPOLL.OUT : EPOLL.IN;
  }

  /** Bytes that wait to be sent. */
  get queued(): number {
    return this.#queueEnd - this.#queueStart;
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
      if (this.queued === 0 && !this.#closing) this.handler?.drained?.();
    }
    if ((events & EPOLL.IN) !== 0 && !this.#paused) this.#read();
    if ((events & (EPOLL.ERR | EPOLL.HUP)) !== 0) {
      // What the peer sent before it went is still there.
      for (let i = 0; i < LAST_READS && this.handler !== null && this.#read(); i++);
      this.#broken(this.#owner.takeError(this.fd));
      return;
    }
    this.#watch();
  }

  write(memory: Memory, offset: number, length: number): void {
    let sent = 0;
    if (this.#connected && this.queued === 0) {
      const bytes = offset === 0 ? memory.bytes : memory.bytes.subarray(offset);
      const taken = this.#owner.libc.send(this.fd, bytes, length, MSG.DONTWAIT | MSG.NOSIGNAL);
      sent = taken < 0 ? 0 : taken;
    }
    if (sent === length) return;
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
      this.#owner.drop(this);
      return;
    }
    this.#closing = true;
    this.#watch();
    this.#owner.linger(this);
  }

  /** Ends sending once what is queued has left; reading goes on. */
  finish(): void {
    this.#finishing = true;
    if (this.queued === 0) this.#owner.libc.shutdown(this.fd, SHUT_WR);
  }

  /** Hands on what has come; false where nothing had. */
  #read(): boolean {
    const { buffer, libc } = this.#owner;
    const length = libc.recv(this.fd, buffer.bytes, READ_SIZE, MSG.DONTWAIT);
    if (length > 0) {
      this.handler?.data(buffer, 0, length);
    } else if (length === 0 && !this.#ended) {
      this.#ended = true;
      this.handler?.ended();
    }
    return length > 0;
  }

  #flush(): void {
    const queue = this.#queue;
    if (queue === null || this.queued === 0) return;
    const bytes = queue.subarray(this.#queueStart, this.#queueEnd);
    const taken = this.#owner.libc.send(
      this.fd,
      bytes,
      bytes.length,
      MSG.DONTWAIT | MSG.NOSIGNAL,
    );
    if (taken > 0) this.#queueStart += taken;
    if (this.queued === 0) {
      this.#queue = null;
      this.#queueStart = 0;
      this.#queueEnd = 0;
      if (this.#closing) this.#owner.drop(this);
      else if (this.#finishing) this.#owner.libc.shutdown(this.fd, SHUT_WR);
    }
  }

  #enqueue(bytes: Uint8Array, offset: number, length: number): void {
    const waiting = this.queued;
    if (this.#queue === null || this.#queueEnd + length > this.#queue.length) {
      const larger = new Uint8Array(Math.max(4096, 2 * (waiting + length)));
      if (this.#queue !== null) {
        larger.set(this.#queue.subarray(this.#queueStart, this.#queueEnd));
      }
      this.#queue = larger;
      this.#queueStart = 0;
      this.#queueEnd = waiting;
    }
    this.#queue.set(bytes.subarray(offset, offset + length), this.#queueEnd);
    this.#queueEnd += length;
  }

  /** Tells epoll what this stream waits for now. */
  #watch(): void {
    if (this.#owner.get(this.id) !== this) return;
    const reading = !this.#ended && !this.#paused && !this.#closing;
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
