import { isIP } from "node:net";
import type { LaneEndpoint } from "../../../io/lane_link.ts";
import { Http2Client, type Http2Fault } from "./http2_client.ts";
import type { ResponseHeaders } from "./http2_headers.ts";
import { answersQuery, servfail } from "./answer.ts";
import { framed, HttpRequest } from "./request.ts";
import { joinBytes } from "./join_bytes.ts";
import type { SecureConnection } from "../tls/connect.ts";
import type { TlsContext } from "../tls/context.ts";
import { watchEnds } from "../tls/ends.ts";
import { explainEnd } from "../tls/failure.ts";
import { closeConnection } from "../tls/goodbye.ts";
import type { Carrier, CarrierEvents } from "../tls/events.ts";

/** Where RFC 8484 and everybody else have it. */
const PATH = "/dns-query";
const MEDIA_TYPE = "application/dns-message";
const HEADER_SIZE = 12;
/** Requests under way; fewer where the peer says so. */
const MAX_REQUESTS = 256;
/** Requests without an answer are given up after this time, long after the engine has done so. */
const REQUEST_MS = 10_000;
/** Bytes that may wait for a peer that makes us write (acknowledgements) and does not read. */
const MAX_UNSENT = 256 * 1024;
/** Failed requests in a row that end the connection. */
const MAX_FAILURES = 3;
const NO_HEADERS = "HTTP response without headers";
/** Time for requests under way when the peer says that it will go. */
const GOAWAY_MS = 1000;
/** Time for a peer that takes no request at the moment to take one. */
const BLOCKED_MS = 1000;

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
  readonly #connection: SecureConnection;
  readonly #method: "GET" | "POST";
  readonly #events: CarrierEvents;
  readonly #context: TlsContext;
  readonly #endpoint: LaneEndpoint;
  readonly #authority: string;
  readonly #queue: Uint8Array[] = [];
  /** Requests under way by their stream's number; those that were sent first come first. */
  readonly #requests = new Map<number, HttpRequest>();
  readonly #sweep: ReturnType<typeof setInterval>;
  #partial: Uint8Array = new Uint8Array();
  /** As if some had failed before: the first request must work. */
  #failures = MAX_FAILURES - 1;
  #leaving: ReturnType<typeof setTimeout> | null = null;
  #blocked: ReturnType<typeof setTimeout> | null = null;
  #closed = false;
  #answered = false;

  constructor(
    connection: SecureConnection,
    endpoint: LaneEndpoint,
    { events, context }: { events: CarrierEvents; context: TlsContext },
  ) {
    const { socket } = connection;
    this.#connection = connection;
    this.#endpoint = endpoint;
    this.#method = endpoint.tls.http ?? "POST";
    this.#events = events;
    this.#context = context;
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
      broken: (fault) => this.#broken(fault),
    });
    this.#sweep = setInterval(() => {
      this.#client.earn();
      this.#giveUp(performance.now() - REQUEST_MS);
    }, REQUEST_MS / 2);
    socket.on("data", (bytes: Uint8Array) => {
      if (this.#closed) return;
      this.#answered = true;
      // Several requests or acknowledgements go out in one TLS record.
      socket.cork();
      try {
        this.#client.receive(bytes);
      } catch (error) {
        // A fault of ours, which must not end the thread.
        this.#fail(`HTTP/2 could not be read: ${(error as Error).message}`);
      }
      socket.uncork();
    });
    watchEnds(connection, endpoint, {
      answered: () => this.#answered,
      failed: (why, alert) => this.#fail(why, alert && !this.#answered),
      closed: () => this.#gone(),
    });
  }

  write(bytes: Uint8Array): void {
    let at = 0;
    const all = this.#partial.length > 0 ? joinBytes([this.#partial, bytes]) : bytes;
    while (at + 2 <= all.length) {
      const size = (all[at]! << 8) | all[at + 1]!;
      if (at + 2 + size > all.length) break;
      this.#queue.push(all.subarray(at + 2, at + 2 + size));
      at += 2 + size;
    }
    this.#partial = all.subarray(at);
    this.#next();
  }

  pause(paused: boolean): void {
    this.#connection.transport.hold(paused);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#client.stop();
    this.#queue.length = 0;
    this.#requests.clear();
    clearInterval(this.#sweep);
    if (this.#leaving !== null) clearTimeout(this.#leaving);
    if (this.#blocked !== null) clearTimeout(this.#blocked);
    closeConnection(this.#connection);
  }

  #next(): void {
    const { socket } = this.#connection;
    // Several requests go out in one TLS record.
    socket.cork();
    while (
      !this.#closed && this.#leaving === null && this.#requests.size < MAX_REQUESTS &&
      this.#queue.length > 0 && this.#client.ready
    ) {
      const query = this.#queue.shift()!;
      this.#events.sent(query.length + 2);
      if (query.length >= HEADER_SIZE) this.#request(query);
    }
    socket.uncork();
    this.#watchBlocked();
    if (this.#leaving !== null && this.#requests.size === 0) this.#gone();
  }

  /** A peer that takes no request at all, and has none under way, must not hold queries for long. */
  #watchBlocked(): void {
    const blocked = !this.#closed && this.#queue.length > 0 && this.#requests.size === 0;
    if (blocked) {
      this.#blocked ??= setTimeout(() => this.#fail("the upstream takes no requests"), BLOCKED_MS);
    } else if (this.#blocked !== null) {
      clearTimeout(this.#blocked);
      this.#blocked = null;
    }
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
    if (stream === 0) {
      this.#events.data(framed(servfail(query)));
      return;
    }
    const request = new HttpRequest(query, performance.now(), NO_HEADERS);
    this.#requests.set(stream, request);
    this.#events.held(request.held);
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
    if (request.why === "") return;
    // Its other remarks on that are ignored.
    this.#client.cancel(stream);
    this.#settle(stream, request.why);
  }

  #data(stream: number, bytes: Uint8Array): void {
    const request = this.#requests.get(stream);
    if (request === undefined) return;
    const before = request.held;
    if (request.append(bytes)) {
      this.#events.held(request.held - before);
      return;
    }
    this.#client.cancel(stream);
    this.#settle(stream, "HTTP content longer than a DNS message");
  }

  #ended(stream: number): void {
    const request = this.#requests.get(stream);
    if (request === undefined) return;
    const { why, size, query } = request;
    // Headers that came but for the final ones.
    if (why !== "") this.#settle(stream, why);
    else if (size < HEADER_SIZE) this.#settle(stream, "HTTP content shorter than a DNS message");
    else if (!answersQuery(query, request.answer.subarray(2))) {
      this.#settle(stream, "HTTP content that answers another question");
    } else this.#settle(stream, "");
  }

  /** Ends a request, with an answer where nothing was wrong. */
  #settle(stream: number, why: string): void {
    const request = this.#forget(stream);
    if (request === undefined) return;
    if (why !== "") this.#failed(request.query, why);
    else {
      this.#failures = 0;
      this.#events.data(request.answer);
    }
    this.#next();
  }

  #forget(stream: number): HttpRequest | undefined {
    const request = this.#requests.get(stream);
    if (request === undefined) return undefined;
    this.#requests.delete(stream);
    this.#events.held(-request.held);
    return request;
  }

  #giveUp(beforeMs: number): void {
    for (const [stream, { sinceMs }] of this.#requests) {
      if (sinceMs > beforeMs) break;
      this.#client.cancel(stream);
      this.#forget(stream);
    }
    this.#next();
  }

  #failed(query: Uint8Array, why: string): void {
    if (++this.#failures >= MAX_FAILURES) this.#fail(why);
    else this.#events.data(framed(servfail(query)));
  }

  /** The peer takes no new requests: those under way are awaited, the others asked again elsewhere. */
  #leave(last: number, code: number): void {
    if (code !== 0) {
      this.#fail(`connection closed by the upstream (HTTP/2 error ${code})`);
      return;
    }
    for (const stream of this.#requests.keys()) if (stream > last) this.#forget(stream);
    this.#leaving ??= setTimeout(() => this.#gone(), GOAWAY_MS);
    this.#next();
  }

  #gone(): void {
    this.#fail(explainEnd(this.#endpoint, this.#answered));
  }

  #broken({ why, flood }: Http2Fault): void {
    if (this.#closed) return;
    this.#context.count(flood ? "flood" : "protocol");
    this.#fail(why, true);
  }

  #fail(why: string, refusal = false): void {
    if (this.#closed) return;
    this.close();
    this.#events.closed(why, refusal);
  }
}

function authorityOf({ address, port, tls }: LaneEndpoint): string {
  const name = tls.serverName === "" ? address.replace(/%.*/, "") : tls.serverName;
  const host = isIP(name) === 6 ? `[${name}]` : name.replace(/\.$/, "");
  return port === 443 ? host : `${host}:${port}`;
}
