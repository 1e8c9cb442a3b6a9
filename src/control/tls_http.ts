import { isIP } from "node:net";
import type { TLSSocket } from "node:tls";
import type { LaneEndpoint } from "../io/lane.ts";
import { Http2Client } from "./http2_client.ts";
import type { ResponseHeaders } from "./http2_headers.ts";
import { closeSocket } from "./tls_carrier.ts";
import { explainEnd, explainFailure } from "./tls_failure.ts";
import type { Carrier, TlsStreamEvents } from "./tls_stream.ts";

/** Where RFC 8484 and everybody else have it. */
const PATH = "/dns-query";
const MEDIA_TYPE = "application/dns-message";
const HEADER_SIZE = 12;
const MAX_MESSAGE_SIZE = 65535;
/** Requests under way; fewer where the peer says so. */
const MAX_REQUESTS = 256;
/** Requests without an answer are given up after this time, long after the engine has done so. */
const REQUEST_MS = 10_000;
/** Bytes that may wait for a peer that makes us write (acknowledgements) and does not read. */
const MAX_UNSENT = 1024 * 1024;
/** Failed requests in a row that end the connection. */
const MAX_FAILURES = 3;
const NO_HEADERS = "HTTP response without headers";
/** Time for requests under way when the peer says that it will go. */
const GOAWAY_MS = 1000;

/**
 * DNS over HTTPS (RFC 8484): one request a frame over HTTP/2, answers as frames in any order.
 *
 * A request that fails (status, content type, stream reset) is answered by a frame that says
 * SERVFAIL, so that only this query ends, and at once. It cannot tell more; therefore a connection
 * on which nothing has worked yet, or three in a row have not, is closed instead, with the reason:
 * then the engine knows that the upstream is to blame, and asks another.
 */
export class HttpCarrier implements Carrier {
  readonly #client: Http2Client;
  readonly #socket: TLSSocket;
  readonly #method: "GET" | "POST";
  readonly #events: TlsStreamEvents;
  readonly #authority: string;
  readonly #queue: Uint8Array[] = [];
  /** Requests under way by their stream's number; those that were sent first come first. */
  readonly #requests = new Map<number, Request>();
  readonly #sweep: ReturnType<typeof setInterval>;
  #partial: Uint8Array = new Uint8Array();
  /** As if some had failed before: the first request must work. */
  #failures = MAX_FAILURES - 1;
  #leaving: ReturnType<typeof setTimeout> | null = null;
  #closed = false;
  readonly #endpoint: LaneEndpoint;
  #answered = false;

  constructor(socket: TLSSocket, endpoint: LaneEndpoint, events: TlsStreamEvents) {
    this.#socket = socket;
    this.#endpoint = endpoint;
    this.#method = endpoint.tls.http ?? "POST";
    this.#events = events;
    this.#authority = authorityOf(endpoint);
    this.#client = new Http2Client({
      write: (bytes) => {
        socket.write(bytes);
        if (socket.writableLength > MAX_UNSENT) {
          this.#fail("the upstream does not read what it is sent");
        }
      },
      ready: () => this.#next(),
      headers: (stream, headers) => this.#headers(stream, headers),
      data: (stream, bytes) => this.#data(stream, bytes),
      end: (stream) => this.#ended(stream),
      reset: (stream) => this.#settle(stream, "an HTTP request was reset by the upstream"),
      goaway: (last, code) => this.#leave(last, code),
      broken: (why) => this.#fail(why),
    });
    this.#sweep = setInterval(() => this.#giveUp(performance.now() - REQUEST_MS), REQUEST_MS / 2);
    socket.on("data", (bytes: Uint8Array) => {
      if (this.#closed) return;
      this.#answered = true;
      try {
        this.#client.receive(bytes);
      } catch (error) {
        // A fault of ours, which must not end the process.
        this.#fail(`HTTP/2 could not be read: ${(error as Error).message}`);
      }
    });
    socket.on("end", () => closeSocket(socket));
    socket.on("error", (error) => this.#fail(explainFailure(error)));
    socket.on("close", () => this.#gone());
  }

  write(bytes: Uint8Array): void {
    let at = 0;
    let all = bytes;
    if (this.#partial.length > 0) {
      all = new Uint8Array(this.#partial.length + bytes.length);
      all.set(this.#partial);
      all.set(bytes, this.#partial.length);
    }
    while (at + 2 <= all.length) {
      const size = (all[at]! << 8) | all[at + 1]!;
      if (at + 2 + size > all.length) break;
      this.#queue.push(all.subarray(at + 2, at + 2 + size));
      at += 2 + size;
    }
    this.#partial = all.subarray(at);
    this.#next();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue.length = 0;
    this.#requests.clear();
    clearInterval(this.#sweep);
    if (this.#leaving !== null) clearTimeout(this.#leaving);
    closeSocket(this.#socket);
  }

  #next(): void {
    // Several requests go out in one TLS record.
    this.#socket.cork();
    const most = Math.min(MAX_REQUESTS, Math.max(1, this.#client.maxStreams));
    while (
      !this.#closed && this.#leaving === null && this.#requests.size < most &&
      this.#queue.length > 0 && this.#client.takes(this.#queue[0]!.length)
    ) {
      const query = this.#queue.shift()!;
      this.#events.sent(query.length + 2);
      if (query.length >= HEADER_SIZE) this.#request(query);
    }
    this.#socket.uncork();
    if (this.#leaving !== null && this.#requests.size === 0) this.#gone();
  }

  #request(query: Uint8Array): void {
    // The id is 0 so that caches on the way know equal queries; answers get it back.
    const message = new Uint8Array(query);
    message[0] = 0;
    message[1] = 0;
    const get = this.#method === "GET";
    const dns = get ? message.toBase64({ alphabet: "base64url", omitPadding: true }) : "";
    const stream = this.#client.request({
      method: this.#method,
      authority: this.#authority,
      path: get ? `${PATH}?dns=${dns}` : PATH,
      sizeBytes: message.length,
    }, get ? null : message);
    if (stream === 0) this.#answer(query, [servfail(query)], query.length);
    else {
      const sinceMs = performance.now();
      this.#requests.set(stream, { query, sinceMs, parts: [], size: 0, why: NO_HEADERS });
    }
  }

  #headers(stream: number, { status, contentType }: ResponseHeaders): void {
    const request = this.#requests.get(stream);
    // Interim responses are followed by another, and trailers say nothing of interest.
    if (request === undefined || request.why !== NO_HEADERS) return;
    if (status !== null && status >= 100 && status < 200) return;
    const type = contentType?.replace(/;.*/s, "").trim().toLowerCase();
    if (status !== 200) request.why = `HTTP status ${status ?? "unknown"} instead of an answer`;
    else if (type !== MEDIA_TYPE) {
      request.why = `HTTP content of type "${type?.slice(0, 60) ?? "unknown"}"`;
    } else request.why = "";
  }

  #data(stream: number, bytes: Uint8Array): void {
    const request = this.#requests.get(stream);
    if (request === undefined) return;
    request.size += bytes.length;
    if (request.size > MAX_MESSAGE_SIZE) {
      this.#client.cancel(stream);
      this.#settle(stream, request.why || "HTTP content longer than a DNS message");
    } else if (request.why === "") request.parts.push(new Uint8Array(bytes));
  }

  #ended(stream: number): void {
    const request = this.#requests.get(stream);
    if (request === undefined) return;
    if (request.why === "" && request.size < HEADER_SIZE) {
      request.why = "HTTP content shorter than a DNS message";
    }
    this.#settle(stream, request.why);
  }

  /** Ends a request, with an answer where nothing was wrong. */
  #settle(stream: number, why: string): void {
    const request = this.#requests.get(stream);
    if (request === undefined) return;
    this.#requests.delete(stream);
    if (why !== "") this.#failed(request.query, why);
    else {
      this.#failures = 0;
      this.#answer(request.query, request.parts, request.size);
    }
    this.#next();
  }

  #giveUp(beforeMs: number): void {
    for (const [stream, { sinceMs }] of this.#requests) {
      if (sinceMs > beforeMs) break;
      this.#client.cancel(stream);
      this.#requests.delete(stream);
    }
    this.#next();
  }

  #answer(query: Uint8Array, parts: readonly Uint8Array[], size: number): void {
    const frame = new Uint8Array(2 + size);
    frame[0] = size >>> 8;
    frame[1] = size & 0xff;
    let at = 2;
    for (const part of parts) {
      frame.set(part, at);
      at += part.length;
    }
    frame[2] = query[0]!;
    frame[3] = query[1]!;
    this.#events.data(frame);
  }

  #failed(query: Uint8Array, why: string): void {
    if (++this.#failures >= MAX_FAILURES) this.#fail(why);
    else this.#answer(query, [servfail(query)], query.length);
  }

  /** The peer takes no new requests: those under way are awaited, the others asked again elsewhere. */
  #leave(last: number, code: number): void {
    if (code !== 0) {
      this.#fail(`connection closed by the upstream (HTTP/2 error ${code})`);
      return;
    }
    for (const stream of this.#requests.keys()) if (stream > last) this.#requests.delete(stream);
    this.#leaving ??= setTimeout(() => this.#gone(), GOAWAY_MS);
    this.#next();
  }

  #gone(): void {
    this.#fail(explainEnd(this.#endpoint, this.#answered));
  }

  #fail(why: string): void {
    if (this.#closed) return;
    this.close();
    this.#events.closed(why);
  }
}

/** A request under way. */
interface Request {
  readonly query: Uint8Array;
  readonly sinceMs: number;
  readonly parts: Uint8Array[];
  size: number;
  /** What is wrong with the response; empty where nothing is. */
  why: string;
}

/** The query itself as a response that says SERVFAIL; its sections stay, so it matches the question. */
function servfail(query: Uint8Array): Uint8Array {
  const response = query.slice();
  response[2]! |= 0x80;
  response[3] = 0x80 | 2;
  return response;
}

function authorityOf({ address, port, tls }: LaneEndpoint): string {
  const name = tls.serverName === "" ? address.replace(/%.*/, "") : tls.serverName;
  const host = isIP(name) === 6 ? `[${name}]` : name.replace(/\.$/, "");
  return port === 443 ? host : `${host}:${port}`;
}
