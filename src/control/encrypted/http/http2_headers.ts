/** HPACK (RFC 7541): sends literals; reads status and content type; no dynamic table. */

/** Static table (RFC 7541 appendix A). */
const INDEX = {
  authority: 1,
  get: 2,
  post: 3,
  path: 4,
  https: 7,
  firstStatus: 8,
  lastStatus: 14,
  accept: 19,
  contentLength: 28,
  contentType: 31,
  last: 61,
} as const;
const STATUSES = [200, 204, 206, 304, 400, 404, 500];
/** Huffman code (RFC 7541 appendix B): five to eight bits suffice. */
const HUFFMAN = [
  { bits: 5, first: 0, symbols: "012aceiost" },
  { bits: 6, first: 20, symbols: " %-./3456789=A_bdfghlmnpru" },
  { bits: 7, first: 92, symbols: ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz" },
  { bits: 8, first: 248, symbols: "&*,;XZ" },
] as const;

/** Maximum header block, sent in the client's settings. */
export const MAX_BLOCK = 16384;
const MAX_FIELDS = 128;
const MAX_TEXT = 200;

const encoder = new TextEncoder();

/** A request; `sizeBytes` is a POST's body length. */
export interface RequestHeaders {
  readonly method: "GET" | "POST";
  readonly authority: string;
  readonly path: string;
  readonly sizeBytes: number;
}

/** Response headers; null if missing or unreadable. */
export interface ResponseHeaders {
  status: number | null;
  contentType: string | null;
}

/** Encodes the header block of a request. */
export function encodeRequest(request: RequestHeaders): Uint8Array {
  const out: number[] = [0x80 | (request.method === "GET" ? INDEX.get : INDEX.post)];
  out.push(0x80 | INDEX.https);
  literal(out, INDEX.authority, request.authority);
  literal(out, INDEX.path, request.path);
  literal(out, INDEX.accept, "application/dns-message");
  if (request.method === "POST") {
    literal(out, INDEX.contentType, "application/dns-message");
    literal(out, INDEX.contentLength, String(request.sizeBytes));
  }
  return Uint8Array.from(out);
}

/** Decodes response headers; null if malformed. */
export function decodeResponse(block: Uint8Array): ResponseHeaders | null {
  const headers: ResponseHeaders = { status: null, contentType: null };
  const reader = new BlockReader(block);
  for (let fields = 0; reader.more; fields++) {
    if (fields === MAX_FIELDS) return null;
    const first = block[reader.at]!;
    if ((first & 0x80) !== 0) {
      const index = reader.integer(7);
      if (index < 1 || index > INDEX.last) return null;
      if (isStatus(index)) headers.status = STATUSES[index - INDEX.firstStatus]!;
    } else if ((first & 0xe0) === 0x20) {
      if (reader.integer(5) !== 0) return null;
    } else {
      const index = reader.integer((first & 0x40) !== 0 ? 6 : 4);
      if (index < 0 || index > INDEX.last) return null;
      const name = index === 0 ? reader.string() : null;
      if (isStatus(index) || name === ":status") headers.status = statusOf(reader.string());
      else if (index === INDEX.contentType || name === "content-type") {
        headers.contentType = reader.string();
      } else reader.bytes();
    }
    if (reader.malformed) return null;
  }
  return headers;
}

function statusOf(text: string | null): number | null {
  return text !== null && /^[1-9]\d\d$/.test(text) ? Number(text) : null;
}

function isStatus(index: number): boolean {
  return index >= INDEX.firstStatus && index <= INDEX.lastStatus;
}

function literal(out: number[], name: number, value: string): void {
  integer(out, 4, name);
  const bytes = encoder.encode(value);
  integer(out, 7, bytes.length);
  for (const byte of bytes) out.push(byte);
}

/** Integer with a prefix of `bits` (RFC 7541 section 5.1). */
function integer(out: number[], bits: number, value: number): void {
  const most = (1 << bits) - 1;
  out.push(Math.min(value, most));
  if (value < most) return;
  let rest = value - most;
  for (; rest >= 0x80; rest >>>= 7) out.push(0x80 | (rest & 0x7f));
  out.push(rest);
}

class BlockReader {
  readonly #block: Uint8Array;
  at = 0;
  malformed = false;

  constructor(block: Uint8Array) {
    this.#block = block;
  }

  get more(): boolean {
    return this.at < this.#block.length;
  }

  integer(bits: number): number {
    const most = (1 << bits) - 1;
    let value = (this.#block[this.at++] ?? 0) & most;
    if (value < most) return value;
    for (let shift = 0; shift <= 14; shift += 7) {
      const byte = this.#block[this.at++];
      if (byte === undefined) break;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    this.malformed = true;
    return -1;
  }

  string(): string | null {
    const packed = ((this.#block[this.at] ?? 0) & 0x80) !== 0;
    const start = this.bytes()?.subarray(0, MAX_TEXT);
    if (start === undefined) return null;
    return packed ? unpack(start) : String.fromCharCode(...start);
  }

  bytes(): Uint8Array | null {
    const length = this.integer(7);
    if (length < 0 || this.at + length > this.#block.length) {
      this.malformed = true;
      this.at = this.#block.length;
      return null;
    }
    this.at += length;
    return this.#block.subarray(this.at - length, this.at);
  }
}

/** By eight bits: symbol, and its length above; 0 for longer codes. */
const SYMBOLS = new Uint16Array(256);
for (const { bits, first, symbols } of HUFFMAN) {
  [...symbols].forEach((symbol, i) => {
    const from = (first + i) << (8 - bits);
    SYMBOLS.fill((bits << 8) | symbol.charCodeAt(0), from, from + (1 << (8 - bits)));
  });
}

function unpack(bytes: Uint8Array): string | null {
  let text = "";
  let pending = 0;
  let count = 0;
  for (const byte of bytes) {
    pending = ((pending << 8) | byte) & 0xffff;
    count += 8;
    while (count >= 8) {
      const entry = SYMBOLS[(pending >>> (count - 8)) & 0xff]!;
      if (entry === 0) return null;
      text += String.fromCharCode(entry & 0xff);
      count -= entry >>> 8;
    }
  }
  // A shorter last symbol may be left, then padding.
  while (count >= 5) {
    const entry = SYMBOLS[((pending << (8 - count)) | (0xff >>> count)) & 0xff]!;
    if (entry === 0 || entry >>> 8 > count) break;
    text += String.fromCharCode(entry & 0xff);
    count -= entry >>> 8;
  }
  const ones = (1 << count) - 1;
  return (pending & ones) === ones ? text : null;
}
