import type { Cancel, Clock } from "../../../base/clock.ts";
import type { CloseReason, HttpCounts } from "./counts.ts";
import type { HttpLimits } from "./limits.ts";
import {
  findHeadEnd,
  type HttpReply,
  type HttpRequest,
  type HttpStream,
  type Method,
  peekPath,
  readRequest,
  refusal,
  writeChunk,
  writeReply,
} from "./message.ts";
import type { HttpScheduler } from "./scheduler.ts";

/** Shared by the servers of all addresses. */
export interface HttpContext {
  readonly limits: HttpLimits;
  readonly counts: HttpCounts;
  readonly scheduler: HttpScheduler;
  readonly clock: Clock;
}

/** Process at a Unix socket's other end. */
export interface Peer {
  readonly uid: number;
  readonly pid: number;
}

/** Server that accepted a connection. */
export interface ConnectionOwner {
  readonly methods: readonly Method[];
  isProbe(path: string): boolean;
  answerMs(path: string): number;
  answer(request: HttpRequest, connection: HttpConnection): Promise<HttpReply | HttpStream>;
  queued(): void;
}

/** Client connection that answers one request at a time. */
export class HttpConnection {
  readonly local: boolean;
  answering = false;
  sinceMs: number;
  queuedBytes = 0;
  /** Local client, if checked. */
  readonly peer: Peer | null;
  readonly #conn: Deno.Conn;
  readonly #owner: ConnectionOwner;
  readonly #context: HttpContext;
  readonly #buffer: Uint8Array<ArrayBuffer>;
  #length = 0;
  #hasAnswered = false;
  #closed = false;
  #ending = false;
  #streaming = false;
  #cancelLimit: Cancel = () => {};
  #gone: AbortController | null = null;

  constructor(
    conn: Deno.Conn,
    owner: ConnectionOwner,
    context: HttpContext,
    peer: Peer | null = null,
  ) {
    this.#conn = conn;
    this.peer = peer;
    this.#owner = owner;
    this.#context = context;
    this.#buffer = new Uint8Array(context.limits.headBytes);
    this.sinceMs = context.clock.now();
    if ("setNoDelay" in conn) (conn as Deno.TcpConn).setNoDelay(true);
    this.local = isLocal(conn.localAddr) && isLocal(conn.remoteAddr);
  }

  get streaming(): boolean {
    return this.#streaming;
  }

  get ends(): { local: Deno.Addr; remote: Deno.Addr } {
    return { local: this.#conn.localAddr, remote: this.#conn.remoteAddr };
  }

  async serve(): Promise<void> {
    try {
      while (!this.#ending && await this.#serveOne());
    } catch {
      // The client or this side has closed it.
    } finally {
      this.#cancelLimit();
      this.#close();
    }
  }

  cut(reason: CloseReason): void {
    if (this.#closed) return;
    this.#context.counts.cut(reason);
    this.#close();
  }

  end(): void {
    this.#ending = true;
    if (!this.answering || this.#streaming) this.#close();
  }

  async #serveOne(): Promise<boolean> {
    const head = await this.#readHead();
    if (head === null) return false;
    const { limits, counts, scheduler } = this.#context;
    this.#setAnswering(true);
    this.#limit(limits.answerMs, "slow_answer");
    const probe = head !== "too large" && this.#owner.isProbe(peekPath(head));
    await scheduler.wait(this, probe ? "probe" : "page");
    if (this.#closed) return false;
    const read = head === "too large"
      ? refusal(431, "too large")
      : readRequest(head, this.#owner.methods);
    if ("status" in read) {
      if (read.status !== 405) counts.cut("malformed");
      await this.#send(writeReply(read, { close: true, headOnly: false }));
      return await this.#discard();
    }
    this.#limit(this.#owner.answerMs(read.path), "slow_answer");
    const reply = await this.#owner.answer(read, this);
    // Unread answers would pile up in the kernel.
    const close = read.close || this.#ending || this.#length > 0 || "chunks" in reply;
    const headOnly = read.method === "HEAD";
    await this.#send(writeReply(reply, { close, headOnly }));
    if ("chunks" in reply && !headOnly) return await this.#stream(reply.chunks);
    if (close) return await this.#discard();
    this.#setAnswering(false);
    this.#hasAnswered = true;
    return true;
  }

  async #readHead(): Promise<Uint8Array | "too large" | null> {
    const { limits } = this.#context;
    const idle = this.#hasAnswered && this.#length === 0;
    this.#limit(idle ? limits.idleMs : limits.headMs, idle ? null : "slow_header");
    for (let from = 0;;) {
      const end = findHeadEnd(this.#buffer, from, this.#length);
      if (end >= 0) {
        const head = this.#buffer.slice(0, end);
        this.#buffer.copyWithin(0, end, this.#length);
        this.#length -= end;
        return head;
      }
      if (this.#length === this.#buffer.length) return "too large";
      from = this.#length;
      const count = await this.#conn.read(this.#buffer.subarray(from));
      if (count === null) return null;
      if (idle && from === 0) this.#limit(limits.headMs, "slow_header");
      this.#length += count;
    }
  }

  async #send(parts: readonly Uint8Array[]): Promise<void> {
    this.queuedBytes = parts.reduce((sum, { length }) => sum + length, 0);
    this.#owner.queued();
    for (const part of parts) {
      for (let at = 0; at < part.length;) {
        const count = await this.#conn.write(part.subarray(at));
        at += count;
        this.queuedBytes -= count;
      }
    }
  }

  /** Aborted at close; streams must then end. */
  get gone(): AbortSignal {
    this.#gone ??= new AbortController();
    if (this.#closed) this.#gone.abort();
    return this.#gone.signal;
  }

  /** Time is limited per chunk, not for the stream. */
  async #stream(chunks: AsyncIterable<string>): Promise<false> {
    this.#cancelLimit();
    this.#streaming = true;
    const left = this.#closeWhenLeft();
    for await (const text of chunks) {
      if (text === "") continue;
      this.#limit(this.#context.limits.answerMs, "slow_answer");
      await this.#send([writeChunk(text)]);
      this.#cancelLimit();
    }
    await this.#send([writeChunk("")]);
    this.#limit(this.#context.limits.discardMs, null);
    await this.#conn.closeWrite();
    await left;
    return false;
  }

  /** Streams may be silent for long. */
  async #closeWhenLeft(): Promise<void> {
    try {
      for (let left = this.#context.limits.discardedBytes; left > 0;) {
        const count = await this.#conn.read(this.#buffer);
        if (count === null) break;
        left -= count;
      }
    } catch {
      // Closed.
    }
    this.#close();
  }

  /** Unread input would cause a reset. */
  async #discard(): Promise<false> {
    const { limits } = this.#context;
    this.answering = false;
    this.#limit(limits.discardMs, null);
    await this.#conn.closeWrite();
    for (let left = limits.discardedBytes; left > 0;) {
      const count = await this.#conn.read(this.#buffer);
      if (count === null) break;
      left -= count;
    }
    return false;
  }

  #setAnswering(answering: boolean): void {
    this.answering = answering;
    this.sinceMs = this.#context.clock.now();
  }

  #limit(ms: number, reason: CloseReason | null): void {
    this.#cancelLimit();
    const expire = () => reason === null ? this.#close() : this.cut(reason);
    this.#cancelLimit = this.#context.clock.after(ms, expire);
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#gone?.abort();
    this.#context.scheduler.leave(this);
    try {
      this.#conn.close();
    } catch {
      // Already closed by the runtime.
    }
  }
}

function isLocal(address: Deno.Addr): boolean {
  if (address.transport === "unix") return true;
  const { hostname } = address as Deno.NetAddr;
  return hostname === "::1" || /^(::ffff:)?127\./.test(hostname);
}
