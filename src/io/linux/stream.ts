import type { Address } from "../../dns/address.ts";
import type { BufferPool } from "../../engine/buffer_pool.ts";
import type { Memory } from "../../engine/memory.ts";
import {
  EPOLL,
  ERRNO,
  MSG,
  SHUT_WR,
  SIOCOUTQ,
  SO,
  SOL,
  TCP_USER_TIMEOUT,
} from "../../sys/constants.ts";
import { errnoText, lastErrno, type Libc } from "../../sys/libc.ts";
import { SOCKADDR_SIZE } from "../../sys/sockaddr.ts";
import type { StreamHandler } from "../../engine/io.ts";
import type { Poller, PollTarget } from "./poller.ts";

/**
 * Bytes read of a client's connection at a time: some forty queries, as many as an event is to
 * cost others. epoll reports the rest again.
 */
const CLIENT_READ_SIZE = 2048;
/** Time after which the kernel gives up what a client does not take of a connection that was closed. */
const KEEP_TIME_MS = 10_000;
/**
 * Pause before more is sent where the kernel had no memory for it: epoll would report the stream at
 * once again, since it is not its own buffer that is full.
 */
const NO_MEMORY_PAUSE_MS = 20;
/** What a call says of the machine, and not of this connection. */
export const NO_MEMORY: readonly number[] = [ERRNO.NOBUFS, ERRNO.NOMEM];
/** Reads from a connection to an upstream that is gone. */
const LAST_READS = 64;
/** Time that a closing stream is given to send what is queued. */
const LINGER_MS = 5000;

const keepTime = new Int32Array([KEEP_TIME_MS]);
/** `struct linger`: on, no time; what is queued is discarded and the peer told. */
const discarding = new Int32Array([1, 0]);
// Filled in by system calls of this thread.
const value = new Int32Array(1);
const valueSize = new Uint32Array(1);
const peer = new Uint8Array(SOCKADDR_SIZE);
const peerSize = new Uint32Array(1);

/** What a stream needs of those who keep all streams. */
export interface StreamOwner {
  readonly libc: Libc;
  readonly poller: Poller;
  /** What every stream reads into. */
  readonly readBuffer: Memory;
  /** Buffers for what has to be queued. */
  readonly buffers: BufferPool;
  /** The stream is closed; its descriptor may be used for something else. */
  forget(stream: Stream): void;
  /** Calls `act` after a time. */
  after(ms: number, act: () => void): void;
}

/** One TCP connection: non-blocking reads, queued writes. */
export class Stream implements PollTarget {
  readonly fd: number;
  readonly id: number;
  /** Address of the client; null for a stream to an upstream. */
  readonly client: Address | null;
  handler: StreamHandler | null = null;
  readonly #owner: StreamOwner;
  #connected: boolean;
  /** Why it is of no use any more: no call will succeed. What is written to it is dropped. */
  #fault: string | null;
  #closed = false;
  #ended = false;
  #paused = false;
  /** The kernel had no memory for what was to be sent; it is tried again in a moment. */
  #starved = false;
  /** What comes once all that is queued has left. */
  #then: "nothing" | "finish" | "close" = "nothing";
  #watched: number;
  #queue: Memory | null = null;
  #queueStart = 0;
  #queueEnd = 0;

  /**
   * A connection to the client, or one to an upstream that has just been begun.
   *
   * @param fault - why it could not even be begun
   */
  constructor(
    owner: StreamOwner,
    fd: number,
    { id, client, fault = null }: { id: number; client: Address | null; fault?: string | null },
  ) {
    this.#owner = owner;
    this.fd = fd;
    this.id = id;
    this.client = client;
    this.#fault = fault;
    this.#connected = client !== null;
    this.#watched = this.#connected ? EPOLL.IN : EPOLL.IN | EPOLL.OUT;
    owner.poller.add(fd, this.#watched, this);
  }

  /** Bytes that wait to be sent. */
  get queued(): number {
    return this.#queueEnd - this.#queueStart;
  }

  /** Bytes of memory that those take. */
  get queueSize(): number {
    return this.#queue === null ? 0 : this.#queue.bytes.length;
  }

  /** Bytes sent that the peer has not acknowledged. */
  get inKernel(): number {
    value[0] = 0;
    if (this.#fault !== null || this.#owner.libc.ioctl(this.fd, SIOCOUTQ, value) !== 0) return 0;
    return value[0]!;
  }

  ready(events: number): void {
    if (!this.#connected) {
      this.#fault ??= this.#takeError();
      if (this.#fault !== null || !this.#hasPeer()) {
        this.#broken();
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
    // By its handler, or with its last octets: the descriptor may be another stream's by now.
    if (this.#closed) return;
    if (this.#fault !== null || (events & (EPOLL.ERR | EPOLL.HUP)) !== 0) {
      // Bytes that an upstream sent before it went are still there. A client has no use for answers; but
      // where both sides have ended in order, closing with something unread would be a reset.
      if (this.client === null || this.#then === "finish") {
        for (let i = 0; i < LAST_READS && this.handler !== null && this.#read(); i++);
      }
      this.#broken();
      return;
    }
    if ((events & EPOLL.IN) !== 0 && !this.#paused) this.#read();
    this.#watch();
  }

  /** Sends bytes, or queues what the kernel does not take at once. */
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

  /** Stops or goes on reading. */
  pause(paused: boolean): void {
    this.#paused = paused;
    this.#watch();
  }

  /** Closes it once what is queued has left, or at once where `abrupt`. */
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

  /** Ends sending once what is queued has left; reading goes on. */
  finish(): void {
    this.#then = "finish";
    if (this.queued === 0) this.#owner.libc.shutdown(this.fd, SHUT_WR);
  }

  /** Closes the descriptor; the peer is sent a reset, and nothing more, where `discard`. */
  drop(discard = false): void {
    if (this.#closed) return;
    this.#closed = true;
    const { libc, poller } = this.#owner;
    if (discard) libc.setsockopt(this.fd, SOL.SOCKET, SO.LINGER, discarding, 8);
    else if (this.client !== null) {
      libc.setsockopt(this.fd, SOL.TCP, TCP_USER_TIMEOUT, keepTime, 4);
    }
    this.#dropQueue();
    poller.remove(this.fd);
    libc.close(this.fd);
    this.#owner.forget(this);
  }

  /** Hands on what has come; false where nothing had. */
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

  /** Sends what the kernel takes and returns how much; notes where it will never take anything. */
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

  /** Looks for memory again after a pause; what there is to send is queued by then. */
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

  /** Tells epoll what this stream waits for now. A faulty one can always be written to. */
  #watch(): void {
    if (this.#closed) return;
    const reading = !this.#ended && !this.#paused && this.#then !== "close";
    const writing = this.queued > 0 && !this.#starved || !this.#connected || this.#fault !== null;
    const wanted = (reading ? EPOLL.IN : 0) | (writing ? EPOLL.OUT : 0);
    if (wanted === this.#watched) return;
    this.#watched = wanted;
    this.#owner.poller.modify(this.fd, wanted);
  }

  /** Closes a stream that is of no use any more, and says why. */
  #broken(): void {
    if (this.#closed) return;
    const why = this.#fault ?? this.#takeError() ?? undefined;
    const { handler } = this;
    this.handler = null;
    this.drop();
    handler?.closed(why);
  }

  /** Whether it is connected, where it has met no error. */
  #hasPeer(): boolean {
    peerSize[0] = SOCKADDR_SIZE;
    return this.#owner.libc.getpeername(this.fd, peer, peerSize) === 0;
  }

  /** The error that it has met since this was last asked, or null. */
  #takeError(): string | null {
    valueSize[0] = 4;
    this.#owner.libc.getsockopt(this.fd, SOL.SOCKET, SO.ERROR, value, valueSize);
    const errno = value[0]!;
    return errno === 0 ? null : errnoText(errno);
  }
}
