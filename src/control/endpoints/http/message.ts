/** HTTP/1.1 messages whose requests have no body (RFC 9110, RFC 9112). */

/** A method that a server may allow. */
export type Method = "GET" | "HEAD" | "POST";

/** Methods without changes. */
export const READ_METHODS: readonly Method[] = ["GET", "HEAD"];

/** A request without a body. */
export interface HttpRequest {
  method: Method;
  path: string;
  query: URLSearchParams;
  headers: ReadonlyMap<string, string>;
  close: boolean;
}

/** Answer without length, date and connection. */
export interface HttpReply {
  status: number;
  headers?: Readonly<Record<string, string>>;
  body: string | Uint8Array<ArrayBuffer>;
}

/** Streamed answer; ends the connection. */
export interface HttpStream {
  status: number;
  headers?: Readonly<Record<string, string>>;
  /** Must end soon after `HttpConnection.gone`. */
  chunks: AsyncIterable<string>;
}

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  404: "Not Found",
  403: "Forbidden",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
};

const JOINED_BYTES = 4096;
const PEEKED_BYTES = 64;

const LF = 10;
const CR = 13;

/** Allowed: visible characters, space, tab, bytes above 127. */
const ILLEGAL = /[^\t\r\n\x20-\x7e\x80-\xff]/;
const REQUEST_LINE = /^([A-Za-z]+) ([\x21-\x7e]+) HTTP\/(\d)\.(\d)$/;
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)$/;
const HOST = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]*)(:[0-9]{0,5})?$/;

/** Offset after the header, or -1. */
export function findHeadEnd(bytes: Uint8Array, from: number, length: number): number {
  for (let at = Math.max(1, from); at < length; at++) {
    if (bytes[at] !== LF) continue;
    if (bytes[at - 1] === LF) return at + 1;
    if (bytes[at - 1] === CR && bytes[at - 2] === LF) return at + 1;
  }
  return -1;
}

/** Path; correct if short and without query. */
export function peekPath(head: Uint8Array): string {
  return String.fromCharCode(...head.subarray(0, PEEKED_BYTES)).split(/[ ?\r\n]/, 2)[1] ?? "";
}

/** Parses a header section, or returns an error answer. */
export function readRequest(
  head: Uint8Array,
  methods: readonly Method[] = READ_METHODS,
): HttpRequest | HttpReply {
  const text = String.fromCharCode(...head);
  if (ILLEGAL.test(text)) return refusal(400, "unexpected octets");
  const [first, ...lines] = text.split(/\r?\n/);
  const line = REQUEST_LINE.exec(first!);
  if (line === null) return refusal(400, "not an HTTP request");
  const [, method, target, major, minor] = line;
  if (major !== "1") return refusal(505, "HTTP/1.1 only");
  const headers = new Map<string, string>();
  for (const one of lines) {
    if (one === "") continue;
    const field = FIELD.exec(one);
    if (field === null) return refusal(400, "not a header line");
    const name = field[1]!.toLowerCase();
    const value = field[2]!.trimEnd();
    const before = headers.get(name);
    if (name === "host" && before !== undefined) return refusal(400, "more than one Host");
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  const host = headers.get("host");
  if (host === undefined ? minor !== "0" : !HOST.test(host)) return refusal(400, "no valid Host");
  if (!isOneOf(methods, method!)) {
    const named = methods.filter((one) => one !== "HEAD").join(" and ");
    return { ...refusal(405, `only ${named}`), headers: { allow: methods.join(", ") } };
  }
  const [, authority, path, query] =
    /^(?:https?:\/\/([^/?#]*))?(\/[^?#]*)(\?[^#]*)?/i.exec(target!) ?? [];
  if (path === undefined) return refusal(400, "not a path");
  if (authority !== undefined) {
    // Replaces Host (RFC 9112 section 3.2.2).
    if (!HOST.test(authority)) return refusal(400, "no valid host");
    headers.set("host", authority);
  }
  // The unread body ends the connection.
  const body = headers.has("transfer-encoding") || (headers.get("content-length") ?? "0") !== "0";
  const asked = (headers.get("connection") ?? "").toLowerCase().split(/[\s,]+/);
  const close = minor === "0" || body || asked.includes("close");
  return { method, path, query: new URLSearchParams(query), headers, close };
}

function isOneOf(methods: readonly Method[], method: string): method is Method {
  return (methods as readonly string[]).includes(method);
}

/** An error answer; include nothing from the client. */
export function refusal(status: number, why: string): HttpReply {
  return textReply(status, `${why}\n`);
}

/** A plain-text answer. */
export function textReply(status: number, body: string): HttpReply {
  return { status, headers: { "content-type": "text/plain; charset=utf-8" }, body };
}

/** Encodes an answer, or a stream's head; copies no large body. */
export function writeReply(
  reply: HttpReply | HttpStream,
  { close, headOnly }: { close: boolean; headOnly: boolean },
): Uint8Array<ArrayBuffer>[] {
  const { status, headers } = reply;
  const content = "chunks" in reply
    ? null
    : typeof reply.body === "string"
    ? new TextEncoder().encode(reply.body)
    : reply.body;
  const fields = Object.entries({
    ...headers,
    ...content === null
      ? { "transfer-encoding": "chunked" }
      : { "content-length": String(content.length) },
    date: new Date().toUTCString(),
    ...close && { connection: "close" },
  });
  const lines = [`HTTP/1.1 ${status} ${REASONS[status] ?? "Unknown"}`];
  for (const [name, value] of fields) lines.push(`${name}: ${value}`);
  const head = new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`);
  if (headOnly || content === null) return [head];
  if (content.length > JOINED_BYTES) return [head, content];
  // A second segment would wait for a delayed acknowledgement.
  const whole = new Uint8Array(head.length + content.length);
  whole.set(head);
  whole.set(content, head.length);
  return [whole];
}

/** Encodes a chunk of a stream (RFC 9112 section 7.1); "" ends it. */
export function writeChunk(text: string): Uint8Array<ArrayBuffer> {
  const content = new TextEncoder().encode(text);
  const size = new TextEncoder().encode(`${content.length.toString(16)}\r\n`);
  const chunk = new Uint8Array(size.length + content.length + 2);
  chunk.set(size);
  chunk.set(content, size.length);
  chunk.set([CR, LF], size.length + content.length);
  return chunk;
}
