/** HTTP/1.1 messages, as far as answering GET and HEAD needs them (RFC 9110, RFC 9112). */

/** A request; it has no body. */
export interface HttpRequest {
  method: "GET" | "HEAD";
  /** Path without the query, as it was sent. */
  path: string;
  /** By name in lower case; values of a name that came several times are joined by ", ". */
  headers: ReadonlyMap<string, string>;
  /** The client wants the connection closed after the answer, or needs it to be. */
  close: boolean;
}

/** What is answered. */
export interface HttpReply {
  status: number;
  /** Besides those about the connection and the length. */
  headers?: Readonly<Record<string, string>>;
  body: string | Uint8Array<ArrayBuffer>;
}

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
};

/** Bodies up to this many octets are sent with their head; copying costs less than another call. */
const JOINED = 4096;

const LF = 10;
const CR = 13;

/** Everything a header section may hold: visible characters, spaces, tabs, and octets above 127. */
const ILLEGAL = /[^\t\r\n\x20-\x7e\x80-\xff]/;
const REQUEST_LINE = /^([A-Za-z]+) ([\x21-\x7e]+) HTTP\/(\d)\.(\d)$/;
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)$/;
const HOST = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]*)(:[0-9]{0,5})?$/;

/** Where the header section ends that `bytes` begins with: behind its empty line; -1 where it does not. */
export function findHeadEnd(bytes: Uint8Array, from: number, length: number): number {
  for (let at = Math.max(1, from); at < length; at++) {
    if (bytes[at] !== LF) continue;
    if (bytes[at - 1] === LF) return at + 1;
    if (bytes[at - 1] === CR && bytes[at - 2] === LF) return at + 1;
  }
  return -1;
}

/** Octets of a request line in which the path of a probe ends. */
const PEEKED = 64;

/** The path in a header section, as far as one without a query can be told without reading it whole. */
export function peekPath(head: Uint8Array): string {
  return String.fromCharCode(...head.subarray(0, PEEKED)).split(/[ ?\r\n]/, 2)[1] ?? "";
}

/** Reads a whole header section; what is to be answered instead where it cannot be used. */
export function readRequest(head: Uint8Array): HttpRequest | HttpReply {
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
  if (method !== "GET" && method !== "HEAD") {
    return { ...refusal(405, "only GET"), headers: { allow: "GET, HEAD" } };
  }
  const path = /^(?:https?:\/\/[^/?#]*)?(\/[^?#]*)/i.exec(target!)?.[1];
  if (path === undefined) return refusal(400, "not a path");
  // A body, which no request here needs, is not read; so nothing can be read behind it either.
  const body = headers.has("transfer-encoding") || (headers.get("content-length") ?? "0") !== "0";
  const asked = (headers.get("connection") ?? "").toLowerCase().split(/[\s,]+/);
  return { method, path, headers, close: minor === "0" || body || asked.includes("close") };
}

/** An error for the client; its text holds nothing that the client sent. */
export function refusal(status: number, why: string): HttpReply {
  return textReply(status, `${why}\n`);
}

/** Plain text as an answer. */
export function textReply(status: number, body: string): HttpReply {
  return { status, headers: { "content-type": "text/plain; charset=utf-8" }, body };
}

/** The octets of an answer: its head, and its body, which many answers may share where it is large. */
export function writeReply(
  { status, headers, body }: HttpReply,
  { close, headOnly }: { close: boolean; headOnly: boolean },
): Uint8Array<ArrayBuffer>[] {
  const content = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const fields = Object.entries({
    ...headers,
    "content-length": String(content.length),
    date: new Date().toUTCString(),
    ...close && { connection: "close" },
  });
  const lines = [`HTTP/1.1 ${status} ${REASONS[status] ?? "Unknown"}`];
  for (const [name, value] of fields) lines.push(`${name}: ${value}`);
  const head = new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`);
  if (headOnly) return [head];
  if (content.length > JOINED) return [head, content];
  // In one segment: the second of two would wait for the client's delayed acknowledgement.
  const whole = new Uint8Array(head.length + content.length);
  whole.set(head);
  whole.set(content, head.length);
  return [whole];
}
