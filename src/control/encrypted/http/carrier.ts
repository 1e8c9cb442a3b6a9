import { isIP } from "node:net";
import type { Cancel } from "../../../base/clock.ts";
import { HEADER_SIZE } from "../../../dns/constants.ts";
import type { LaneEndpoint } from "../../../io/lane_link.ts";
import { Carrier, type CarrierParts } from "../carrier.ts";
import { Http2Client } from "./http2_client.ts";
import type { ResponseHeaders } from "./http2_headers.ts";
import { joinBytes } from "./join_bytes.ts";
import { HttpRequest, servfail } from "./request.ts";

const PATH = "/dns-query";
const MEDIA_TYPE = "application/dns-message";
const MAX_REQUESTS = 256;
/** The engine gives up earlier. */
const REQUEST_MS = 10_000;
/** Acknowledgements for an unreading peer. */
const MAX_UNSENT_BYTES = 256 * 1024;
const MAX_FAILURES = 3;
const GOAWAY_MS = 1000;
/** For a peer that accepts no request and has none in flight. */
const BLOCKED_MS = 1000;
const NO_HEADERS = "HTTP response without headers";

/**
 * DNS over HTTPS (RFC 8484): one HTTP/2 request per frame. Failures get SERVFAIL; a failed first
 * request, or three in a row, close the connection.
 */
export class HttpCarrier extends Carrier {
  readonly #client: Http2Client;
  readonly #authority: string;
  readonly #queue: Uint8Array[] = [];
  readonly #requests = new Map<number, HttpRequest>();
  readonly #cancelSweep: Cancel;
  #partial: Uint8Array = new Uint8Array();
  #failures = MAX_FAILURES - 1;
  #cancelLeaving: Cancel | null = null;
  #cancelBlocked: Cancel | null = null;

  constructor(parts: CarrierParts) {
    super(parts);
    const { connection: { socket }, context: { clock }, endpoint } = parts;
    this.#authority = authorityOf(endpoint);
    this.#client = new Http2Client({
      write: (bytes) => {
        socket.write(bytes);
        if (socket.writableLength > MAX_UNSENT_BYTES) {
          this.fail("the upstream does not read what it is sent");
        }
      },
      ready: () => this.#sendQueued(),
      headers: (stream, headers) => this.#headers(stream, headers),
      data: (stream, bytes) => this.#data(stream, bytes),
      end: (stream) => {
        this.#requests.get(stream)?.finish();
        this.#finish(stream);
      },
      reset: (stream) => this.#finish(stream, "an HTTP request was reset by the upstream"),
      goaway: (last, code) => this.#goaway(last, code),
      broken: (fault) => this.#broken(fault),
    });
    this.#cancelSweep = clock.every(REQUEST_MS / 2, () => this.#sweep());
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
    this.#sendQueued();
  }

  override close(): void {
    if (this.closed) return;
    super.close();
    this.#client.stop();
    this.#queue.length = 0;
    this.#requests.clear();
    this.#cancelSweep();
    this.#cancelLeaving?.();
    this.#cancelBlocked?.();
  }

  protected receive(bytes: Uint8Array): void {
    const { socket } = this.parts.connection;
    // Requests and acknowledgements share TLS records.
    socket.cork();
    try {
      this.#client.receive(bytes);
    } catch (error) {
      // A bug must not end the thread.
      this.fail(`HTTP/2 could not be read: ${(error as Error).message}`);
    }
    socket.uncork();
  }

  #sendQueued(): void {
    const { connection: { socket }, events } = this.parts;
    socket.cork();
    while (
      !this.closed && this.#cancelLeaving === null && this.#requests.size < MAX_REQUESTS &&
      this.#queue.length > 0 && this.#client.ready
    ) {
      const query = this.#queue.shift()!;
      events.sent(query.length + 2);
      if (query.length >= HEADER_SIZE) this.#request(query);
    }
    socket.uncork();
    this.#watchBlocked();
    if (this.#cancelLeaving !== null && this.#requests.size === 0) this.end();
  }

  #watchBlocked(): void {
    if (!this.closed && this.#queue.length > 0 && this.#requests.size === 0) {
      this.#cancelBlocked ??= this.parts.context.clock.after(
        BLOCKED_MS,
        () => this.fail("the upstream takes no requests"),
      );
    } else {
      this.#cancelBlocked?.();
      this.#cancelBlocked = null;
    }
  }

  #request(query: Uint8Array): void {
    const { events, context, endpoint } = this.parts;
    // Id 0 lets HTTP caches match equal queries.
    const message = new Uint8Array(query);
    message[0] = 0;
    message[1] = 0;
    const method = endpoint.tls.http ?? "POST";
    const get = method === "GET";
    const dns = get ? message.toBase64({ alphabet: "base64url", omitPadding: true }) : "";
    const stream = this.#client.request({
      method,
      authority: this.#authority,
      path: get ? `${PATH}?dns=${dns}` : PATH,
      sizeBytes: message.length,
    }, get ? null : message);
    if (stream === 0) return events.data(servfail(query));
    const request = new HttpRequest(query, context.clock.now(), NO_HEADERS);
    this.#requests.set(stream, request);
    events.charge(request.held);
  }

  #headers(stream: number, { status, contentType }: ResponseHeaders): void {
    const request = this.#requests.get(stream);
    // Trailers are ignored; interim responses precede another.
    if (request === undefined || request.why !== NO_HEADERS) return;
    if (status !== null && status >= 100 && status < 200) return;
    const type = contentType?.replace(/;.*/s, "").trim().toLowerCase();
    if (status === 200 && type === MEDIA_TYPE) request.why = "";
    else {
      this.#cancel(
        stream,
        status === 200
          ? `HTTP content of type "${type?.slice(0, 60) ?? "unknown"}"`
          : `HTTP status ${status ?? "unknown"} instead of an answer`,
      );
    }
  }

  #data(stream: number, bytes: Uint8Array): void {
    const request = this.#requests.get(stream);
    if (request === undefined) return;
    const before = request.held;
    if (request.append(bytes)) this.parts.events.charge(request.held - before);
    else this.#cancel(stream, "HTTP content longer than a DNS message");
  }

  #cancel(stream: number, why: string): void {
    this.#client.cancel(stream);
    this.#finish(stream, why);
  }

  #finish(stream: number, why = this.#requests.get(stream)?.why): void {
    const request = this.#forget(stream);
    if (request === undefined) return;
    const { events } = this.parts;
    if (why === "") {
      this.#failures = 0;
      events.data(request.answer);
    } else if (++this.#failures >= MAX_FAILURES) this.fail(why!);
    else events.data(servfail(request.query));
    this.#sendQueued();
  }

  #forget(stream: number): HttpRequest | undefined {
    const request = this.#requests.get(stream);
    if (request === undefined) return undefined;
    this.#requests.delete(stream);
    this.parts.events.charge(-request.held);
    return request;
  }

  #sweep(): void {
    this.#client.earn();
    const beforeMs = this.parts.context.clock.now() - REQUEST_MS;
    for (const [stream, { sinceMs }] of this.#requests) {
      if (sinceMs > beforeMs) break;
      this.#client.cancel(stream);
      this.#forget(stream);
    }
    this.#sendQueued();
  }

  #goaway(last: number, code: number): void {
    if (code !== 0) return this.fail(`connection closed by the upstream (HTTP/2 error ${code})`);
    for (const stream of this.#requests.keys()) if (stream > last) this.#forget(stream);
    this.#cancelLeaving ??= this.parts.context.clock.after(GOAWAY_MS, () => this.end());
    this.#sendQueued();
  }

  #broken({ why, flood }: { why: string; flood: boolean }): void {
    if (this.closed) return;
    this.parts.context.count(flood ? "flood" : "protocol");
    this.fail(why, true);
  }
}

function authorityOf({ address, port, tls }: LaneEndpoint): string {
  const name = tls.serverName === "" ? address.replace(/%.*/, "") : tls.serverName;
  const host = isIP(name) === 6 ? `[${name}]` : name.replace(/\.$/, "");
  return port === 443 ? host : `${host}:${port}`;
}
