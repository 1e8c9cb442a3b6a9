import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { isIP } from "node:net";
import type { TLSSocket } from "node:tls";
import type { LaneEndpoint } from "../io/lane.ts";
import { closeSocket } from "./tls_carrier.ts";
import { explainFailure } from "./tls_failure.ts";
import type { Carrier, TlsStreamEvents } from "./tls_stream.ts";

/** Where RFC 8484 and everybody else have it. */
const PATH = "/dns-query";
const MEDIA_TYPE = "application/dns-message";
const HEADER_SIZE = 12;
const MAX_MESSAGE_SIZE = 65535;
/** Requests under way, until the peer says how many it takes; what RFC 9113 asks peers to allow. */
const REQUESTS = { default: 100, max: 256 } as const;
/** Failed requests in a row that end the connection. */
const MAX_FAILURES = 3;
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
  readonly #session: ClientHttp2Session;
  readonly #socket: TLSSocket;
  readonly #endpoint: LaneEndpoint;
  readonly #events: TlsStreamEvents;
  readonly #authority: string;
  readonly #queue: Uint8Array[] = [];
  #partial: Uint8Array = new Uint8Array();
  #under = 0;
  #limit: number = REQUESTS.default;
  /** As if some had failed before: the first request must work. */
  #failures = MAX_FAILURES - 1;
  #leaving: ReturnType<typeof setTimeout> | null = null;
  #closed = false;
  #why = "connection closed by the upstream";

  constructor(socket: TLSSocket, endpoint: LaneEndpoint, events: TlsStreamEvents) {
    this.#socket = socket;
    this.#endpoint = endpoint;
    this.#events = events;
    this.#authority = authorityOf(endpoint);
    const session = connect(`https://${this.#authority}`, { createConnection: () => socket });
    this.#session = session;
    session.on("remoteSettings", ({ maxConcurrentStreams: most }) => {
      if (most !== undefined) this.#limit = Math.max(1, Math.min(most, REQUESTS.max));
      this.#next();
    });
    session.on("error", (error) => this.#fail(explainFailure(error)));
    session.on("goaway", () => this.#leave());
    session.on("close", () => this.#fail(this.#why));
    socket.on("error", (error) => this.#fail(explainFailure(error)));
    socket.on("close", () => this.#fail(this.#why));
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
    if (this.#leaving !== null) clearTimeout(this.#leaving);
    try {
      this.#session.close();
      // Requests under way would keep the session; nobody wants their answers any more.
      this.#session.destroy();
    } catch {
      // It is gone already.
    }
    closeSocket(this.#socket);
  }

  #next(): void {
    while (
      !this.#closed && this.#leaving === null && this.#under < this.#limit &&
      this.#queue.length > 0
    ) {
      const query = this.#queue.shift()!;
      this.#events.sent(query.length + 2);
      if (query.length >= HEADER_SIZE) this.#request(query);
    }
    if (this.#leaving !== null && this.#under === 0) this.#fail(this.#why);
  }

  #request(query: Uint8Array): void {
    // The id is 0 so that caches on the way know equal queries; answers get it back.
    const message = query.slice();
    message[0] = 0;
    message[1] = 0;
    let stream: ClientHttp2Stream;
    try {
      stream = this.#session.request(this.#headers(message), {
        endStream: this.#endpoint.tls.http === "GET",
      });
    } catch (error) {
      this.#fail(explainFailure(error as Error));
      return;
    }
    this.#under++;
    const parts: Uint8Array[] = [];
    let size = 0;
    let why = "an HTTP request was reset by the upstream";
    stream.on("response", (headers) => {
      const status = Number(headers[":status"]);
      const type = String(headers["content-type"] ?? "").split(";")[0]!.trim().toLowerCase();
      if (status !== 200) why = `HTTP status ${status} instead of an answer`;
      else if (type !== MEDIA_TYPE) why = `HTTP content of type "${type.slice(0, 60)}"`;
      else why = "";
    });
    stream.on("data", (part: Uint8Array) => {
      size += part.length;
      if (size > MAX_MESSAGE_SIZE) why = "HTTP content longer than a DNS message";
      if (why === "") parts.push(part);
      else if (size > MAX_MESSAGE_SIZE) stream.close(constants.NGHTTP2_CANCEL);
    });
    stream.on("error", () => why ||= "an HTTP request was reset by the upstream");
    stream.on("close", () => {
      this.#under--;
      if (why === "" && stream.rstCode !== 0) why = "an HTTP request was reset by the upstream";
      if (why === "" && size < HEADER_SIZE) why = "HTTP content shorter than a DNS message";
      if (this.#closed) return;
      if (why === "") {
        this.#failures = 0;
        this.#answer(query, parts, size);
      } else this.#failed(query, why);
      this.#next();
    });
    if (this.#endpoint.tls.http === "POST") stream.end(message);
  }

  #headers(message: Uint8Array): Record<string, string> {
    const headers = {
      ":scheme": "https",
      ":authority": this.#authority,
      accept: MEDIA_TYPE,
    };
    if (this.#endpoint.tls.http === "GET") {
      const dns = message.toBase64({ alphabet: "base64url", omitPadding: true });
      return { ":method": "GET", ":path": `${PATH}?dns=${dns}`, ...headers };
    }
    return {
      ":method": "POST",
      ":path": PATH,
      ...headers,
      "content-type": MEDIA_TYPE,
      "content-length": String(message.length),
    };
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
  #leave(): void {
    if (this.#leaving !== null || this.#closed) return;
    this.#leaving = setTimeout(() => this.#fail(this.#why), GOAWAY_MS);
    this.#next();
  }

  #fail(why: string): void {
    if (this.#closed) return;
    this.close();
    this.#events.closed(why);
  }
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
