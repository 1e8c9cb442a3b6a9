import type { Address } from "../../dns/address.ts";
import type { BufferPool } from "../../engine/buffer_pool.ts";
import type { StreamHandler } from "../../engine/io.ts";
import type { Memory } from "../../engine/memory.ts";
import { EPOLL, ERRNO, MSG, SHUT_WR, SIOCOUTQ, SO, SOL, TCP } from "../../sys/constants.ts";
import { errnoText, lastErrno, type Libc } from "../../sys/libc.ts";
import { SOCKADDR_SIZE } from "../../sys/sockaddr.ts";
import type { DriverStream } from "../driver.ts";
import type { Poller, PollTarget } from "./poller.ts";

/** Some forty queries. */
const CLIENT_READ_SIZE = 2048;
/** The kernel then drops unacknowledged data. */
const KEEP_TIME_MS = 10_000;
/** Else epoll would report it at once. */
const NO_MEMORY_PAUSE_MS = 20;
/** Of the machine, not the connection. */
export const NO_MEMORY: readonly number[] = [ERRNO.NOBUFS, ERRNO.NOMEM];
const LAST_READS = 64;
const LINGER_MS = 5000;

const keepTime = new Int32Array([KEEP_TIME_MS]);
/** `struct linger`: reset on close. */
const discarding = new Int32Array([1, 0]);
const value = new Int32Array(1);
const valueSize = new Uint32Array(1);
const peer = new Uint8Array(SOCKADDR_SIZE);
const peerSize = new Uint32Array(1);

/** Owner of a stream. */
export interface StreamOwner {
  readonly libc: Libc;
  readonly poller: Poller;
  readonly readBuffer: Memory;
  readonly buffers: BufferPool;
  forget(stream: Stream): void;
  after(ms: number, act: () => void): void;
}

/** Non-blocking, with queued writes. */
export class Stream implements PollTarget, DriverStream {
  readonly fd: number;
  id = -1;
  /** Null for upstreams. */
  readonly client: Address | null;
  handler: StreamHandler | null = null;
  readonly #owner: StreamOwner;
  #connected: boolean;
  /** Later writes are dropped. */
  #fault: string | null;
  #closed = false;
  #ended = false;
  #paused = false;
  #starved = false;
  #then: "nothing" | "finish" | "close" = "nothing";
  #watched: number;
  #queue: Memory | null = null;
  #queueStart = 0;
  #queueEnd = 0;

  /** @param fault - of `connect` */
  constructor(owner: StreamOwner, fd: number, client: Address | null, fault: string | null = null) {
    this.#owner = owner;
    this.fd = fd;
    this.client = client;
    this.#fault = fault;
    this.#connected = client !== null;
    this.#watched = this.#connected ? EPOLL.IN : EPOLL.IN | EPOLL.OUT;
    owner.poller.add(fd, this.#watched, this);
  }

  get queued(): number {
    return this.#queueEnd - this.#queueStart;
  }

  get queueSize(): number {
    return this.#queue === null ? 0 : this.#queue.bytes.length;
  }

  get inKernel(): number {
    value[0] = 0;
    if (this.#fault !== null || this.#owner.libc.ioctl(this.fd, SIOCOUTQ, value) !== 0) return 0;
    return value[0]!;
  }

  ready(events: number): void {
    if (!this.#connected) {
      this.#fault ??= this.#takeError();
      if (this.#fault !== null || !this.#hasPeer()) {
        this.#fail();
        return;
      }
      this.#connected = true;
      this.handler?.connected?.();
      if (this.#closed) return;
      this.#flush();
    } else if ((events & EPOLL.OUT) !== 0) {
      this.#flush();
      const drained = this.queued === 0 && this.#fault === null && this.#then !== "close";
      if (drained) this.handler?.drained?.();
    }
    // The descriptor may be reused.
    if (this.#closed) return;
    if (this.#fault !== null || (events & (EPOLL.ERR | EPOLL.HUP)) !== 0) {
      // Upstreams' last bytes count. Clients' do not, but unread bytes after both FINs would cause
      // a reset.
      if (this.client === null || this.#then === "finish") {
        for (let i = 0; i < LAST_READS && this.handler !== null && this.#read(); i++);
      }
      this.#fail();
      return;
    }
    if ((events & EPOLL.IN) !== 0 && !this.#paused) this.#read();
    this.#watch();
  }

  write(memory: Memory, offset: number, length: number): void {
    let sent = 0;
    if (this.#connected && this.queued === 0 && this.#fault === null) {
      const bytes = offset === 0 ? memory.bytes : memory.bytes.subarray(offset);
      sent = this.#send(bytes, length);
    }
    if (sent < length && this.#fault === null) {
      this.#enqueue(memory.bytes, offset + sent, length - sent);
    }
    this.#watch();
  }

  pause(paused: boolean): void {
    this.#paused = paused;
    this.#watch();
  }

  close(abrupt: boolean): void {
    this.handler = null;
    if (abrupt || this.queued === 0 || !this.#connected) {
      this.drop(abrupt);
      return;
    }
    this.#then = "close";
    this.#watch();
    this.#owner.after(LINGER_MS, () => this.drop());
  }

  finish(): void {
    this.#then = "finish";
    if (this.queued === 0) this.#owner.libc.shutdown(this.fd, SHUT_WR);
  }

  /** `discard` resets the connection. */
  drop(discard = false): void {
    if (this.#closed) return;
    this.#closed = true;
    const { libc, poller } = this.#owner;
    if (discard) libc.setsockopt(this.fd, SOL.SOCKET, SO.LINGER, discarding, 8);
    else if (this.client !== null) {
      libc.setsockopt(this.fd, SOL.TCP, TCP.USER_TIMEOUT, keepTime, 4);
    }
    this.#dropQueue();
    poller.remove(this.fd);
    libc.close(this.fd);
    this.#owner.forget(this);
  }

  #read(): boolean {
    const { readBuffer, libc } = this.#owner;
    const most = this.client === null ? readBuffer.bytes.length : CLIENT_READ_SIZE;
    const length = libc.recv(this.fd, readBuffer.bytes, most, MSG.DONTWAIT);
    if (length > 0) {
      this.handler?.data(readBuffer, 0, length);
    } else if (length === 0 && !this.#ended) {
      this.#ended = true;
      this.handler?.ended();
    }
    return length > 0;
  }

  #send(bytes: Uint8Array<ArrayBuffer>, length: number): number {
    const sent = this.#owner.libc.send(this.fd, bytes, length, MSG.DONTWAIT | MSG.NOSIGNAL);
    if (sent >= 0) return sent;
    const errno = lastErrno();
    if (NO_MEMORY.includes(errno)) this.#starve();
    else if (errno !== ERRNO.AGAIN) {
      this.#fault = errnoText(errno);
      this.#dropQueue();
    }
    return 0;
  }

  #starve(): void {
    if (this.#starved) return;
    this.#starved = true;
    this.#owner.after(NO_MEMORY_PAUSE_MS, () => {
      this.#starved = false;
      this.#watch();
    });
  }

  #flush(): void {
    const queue = this.#queue;
    if (queue === null) return;
    const bytes = queue.bytes.subarray(this.#queueStart, this.#queueEnd);
    this.#queueStart += this.#send(bytes, bytes.length);
    if (this.queued > 0 || this.#fault !== null) return;
    this.#dropQueue();
    if (this.#then === "close") this.drop();
    else if (this.#then === "finish") this.#owner.libc.shutdown(this.fd, SHUT_WR);
  }

  #enqueue(bytes: Uint8Array, offset: number, length: number): void {
    const { buffers } = this.#owner;
    const waiting = this.queued;
    let queue = this.#queue;
    if (queue === null || this.#queueEnd + length > queue.bytes.length) {
      queue = buffers.take(waiting + length);
      if (this.#queue !== null) {
        queue.bytes.set(this.#queue.bytes.subarray(this.#queueStart, this.#queueEnd));
        buffers.give(this.#queue);
      }
      this.#queue = queue;
      this.#queueStart = 0;
      this.#queueEnd = waiting;
    }
    queue.bytes.set(bytes.subarray(offset, offset + length), this.#queueEnd);
    this.#queueEnd += length;
  }

  #dropQueue(): void {
    if (this.#queue !== null) this.#owner.buffers.give(this.#queue);
    this.#queue = null;
    this.#queueStart = 0;
    this.#queueEnd = 0;
  }

  /** A faulty stream is always writable. */
  #watch(): void {
    if (this.#closed) return;
    const reading = !this.#ended && !this.#paused && this.#then !== "close";
    const writing = this.queued > 0 && !this.#starved || !this.#connected || this.#fault !== null;
    const wanted = (reading ? EPOLL.IN : 0) | (writing ? EPOLL.OUT : 0);
    if (wanted === this.#watched) return;
    this.#watched = wanted;
    this.#owner.poller.modify(this.fd, wanted);
  }

  #fail(): void {
    if (this.#closed) return;
    const why = this.#fault ?? this.#takeError() ?? undefined;
    const { handler } = this;
    this.handler = null;
    this.drop();
    handler?.closed(why);
  }

  #hasPeer(): boolean {
    peerSize[0] = SOCKADDR_SIZE;
    return this.#owner.libc.getpeername(this.fd, peer, peerSize) === 0;
  }

  #takeError(): string | null {
    valueSize[0] = 4;
    this.#owner.libc.getsockopt(this.fd, SOL.SOCKET, SO.ERROR, value, valueSize);
    const errno = value[0]!;
    return errno === 0 ? null : errnoText(errno);
  }
}
