import type { HttpLimits } from "./limits.ts";
import {
  findHeadEnd,
  type HttpReply,
  type HttpRequest,
  peekPath,
  readRequest,
  refusal,
  writeReply,
} from "./message.ts";

/** Why a connection was closed before its client was done with it. */
export type CloseReason =
  /** Another one needed its place. */
  | "full"
  /** The header was not complete in time. */
  | "slow_header"
  /** No such answer to HTTP: too large, malformed, or another protocol. */
  | "malformed"
  /** The answer was not made, or not read, in time. */
  | "slow_answer"
  /** Answers to slow readers took too much memory. */
  | "memory";

/** What a connection needs of the address that accepted it. */
export interface ConnectionOwner {
  readonly limits: HttpLimits;
  /** Resolves when a request for `path` may be read and answered, or the connection is closed. */
  turn(path: string, connection: HttpConnection): Promise<void>;
  /** Called once it is closed. */
  closed(connection: HttpConnection): void;
  /** The answer to a request. It never rejects. */
  answer(request: HttpRequest, connection: HttpConnection): Promise<HttpReply>;
  /** More octets wait to be sent than before. */
  queued(): void;
  /** Counts a connection that was closed for a reason. */
  count(reason: CloseReason): void;
}

/** One client's connection: reads requests, answers one after the other, and ends by itself. */
export class HttpConnection {
  /** Both ends have addresses of the loopback interface. */
  readonly local: boolean;
  /** An answer is being made or sent. */
  answering = false;
  /** Since when it waits for a header, or answers; monotonic milliseconds. */
  sinceMs = performance.now();
  /** Octets of an answer that the client has not taken yet. */
  queuedBytes = 0;
  readonly #conn: Deno.TcpConn;
  readonly #owner: ConnectionOwner;
  readonly #buffer: Uint8Array<ArrayBuffer>;
  #length = 0;
  /** A first answer was given. */
  #kept = false;
  #closed = false;
  /** It is closed as soon as nothing is being answered. */
  #ending = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(conn: Deno.TcpConn, owner: ConnectionOwner) {
    this.#conn = conn;
    this.#owner = owner;
    this.#buffer = new Uint8Array(owner.limits.headBytes);
    conn.setNoDelay(true);
    this.local = isLoopback(conn.localAddr) && isLoopback(conn.remoteAddr);
  }

  /** Serves until either side closes. Never rejects. */
  async serve(): Promise<void> {
    try {
      while (!this.#ending && await this.#serveOne());
    } catch {
      // The client is gone, or the connection was closed while it was read or written.
    } finally {
      clearTimeout(this.#timer);
      this.#close();
    }
  }

  /** Closes it now; `reason` is counted. */
  cut(reason: CloseReason): void {
    if (this.#closed) return;
    this.#owner.count(reason);
    this.#close();
  }

  /** Closes it after the answer that is under way, or now where there is none. */
  end(): void {
    this.#ending = true;
    if (!this.answering) this.#close();
  }

  /** One request and its answer; false if no other may follow. */
  async #serveOne(): Promise<boolean> {
    const head = await this.#readHead();
    if (head === null) return false;
    const { limits } = this.#owner;
    this.answering = true;
    this.sinceMs = performance.now();
    this.#limit(limits.answerMs, "slow_answer");
    await this.#owner.turn(head === "too large" ? "" : peekPath(head), this);
    if (this.#closed) return false;
    const read = head === "too large" ? refusal(431, "too large") : readRequest(head);
    if ("status" in read) {
      if (read.status !== 405) this.#owner.count("malformed");
      await this.#send(writeReply(read, { close: true, headOnly: false }));
      await this.#discard();
      return false;
    }
    const reply = await this.#owner.answer(read, this);
    // Who sends requests ahead of the answers has one answered: a client that reads none would have
    // the kernel keep them all.
    const close = read.close || this.#ending || this.#length > 0;
    await this.#send(writeReply(reply, { close, headOnly: read.method === "HEAD" }));
    if (close) {
      await this.#discard();
      return false;
    }
    this.answering = false;
    this.#kept = true;
    return true;
  }

  /** The next header section; null if the client sends none. */
  async #readHead(): Promise<Uint8Array | "too large" | null> {
    const { limits } = this.#owner;
    this.sinceMs = performance.now();
    const fresh = this.#kept && this.#length === 0;
    this.#limit(fresh ? limits.idleMs : limits.headMs, fresh ? null : "slow_header");
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
      // A later request has as long as the first one, from its first octet.
      if (fresh && from === 0) this.#limit(limits.headMs, "slow_header");
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

  /** Reads away what the client still sends: unread, it would make the kernel reset the connection. */
  async #discard(): Promise<void> {
    const { limits } = this.#owner;
    this.answering = false;
    this.#limit(limits.discardMs, null);
    await this.#conn.closeWrite();
    for (let left = limits.discardedBytes; left > 0;) {
      const count = await this.#conn.read(this.#buffer);
      if (count === null) return;
      left -= count;
    }
  }

  /** Closes it in a while; where `reason` is null that is the usual end. */
  #limit(ms: number, reason: CloseReason | null): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => reason === null ? this.#close() : this.cut(reason), ms);
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#owner.closed(this);
    try {
      this.#conn.close();
    } catch {
      // The runtime has closed it already.
    }
  }
}

function isLoopback(address: Deno.Addr): boolean {
  const { hostname } = address as Deno.NetAddr;
  return hostname === "::1" || /^(::ffff:)?127\./.test(hostname);
}
