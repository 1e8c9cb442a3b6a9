/**
 * The client's side of an HTTP/2 connection (RFC 9113) for small requests: what DNS over HTTPS needs
 * of it, and nothing else. It knows no socket: bytes come in, bytes go out.
 *
 * It is written out here because with Deno 2.9.6's node:http2 as the client the tests saw bodies
 * garbled and the process end with a segmentation fault, which no upstream must be able to bring
 * about; it also took four times the CPU.
 */
import {
  decodeResponse,
  encodeRequest,
  type RequestHeaders,
  type ResponseHeaders,
} from "./http2_headers.ts";

const TYPE = {
  DATA: 0,
  HEADERS: 1,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;
const FLAG = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 } as const;
const SETTING = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
} as const;
const CANCEL = 8;
const FRAME_HEADER = 9;
const MAX_FRAME = 16384;
const MAX_BLOCK = 65536;
const DEFAULT_WINDOW = 65535;
/** Room for a whole DNS message on each stream, so that only the connection's window is kept up. */
const STREAM_WINDOW = 131072;
const CONNECTION_WINDOW = 16 * 1024 * 1024;
const WINDOW_STEP = 1024 * 1024;
const MAX_STREAM = 0x7fffffff;

/** What a connection reports. Bytes are good during the call only. */
export interface Http2Events {
  write(bytes: Uint8Array): void;
  /** The peer's settings or windows have changed: more requests may be possible. */
  ready(): void;
  headers(stream: number, headers: ResponseHeaders): void;
  data(stream: number, bytes: Uint8Array): void;
  end(stream: number): void;
  reset(stream: number): void;
  /** The peer takes no streams above `last`. */
  goaway(last: number, code: number): void;
  /** The peer broke the protocol; the connection is of no use any more. */
  broken(why: string): void;
}

/** One connection. */
export class Http2Client {
  readonly #events: Http2Events;
  #held: Uint8Array = new Uint8Array();
  #next = 1;
  #maxStreams = 100;
  #window = DEFAULT_WINDOW;
  #streamWindow = DEFAULT_WINDOW;
  #received = 0;
  #settled = false;
  #broken = false;
  /** The header block that is being collected. */
  #block: { stream: number; bytes: Uint8Array; ends: boolean } | null = null;

  constructor(events: Http2Events) {
    this.#events = events;
    const settings = [
      [SETTING.HEADER_TABLE_SIZE, 0],
      [SETTING.ENABLE_PUSH, 0],
      [SETTING.INITIAL_WINDOW_SIZE, STREAM_WINDOW],
    ] as const;
    const payload = new DataView(new ArrayBuffer(6 * settings.length));
    settings.forEach(([name, value], i) => {
      payload.setUint16(6 * i, name);
      payload.setUint32(6 * i + 2, value);
    });
    events.write(join([
      new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
      frame(TYPE.SETTINGS, { payload: new Uint8Array(payload.buffer) }),
      windowUpdate(CONNECTION_WINDOW - DEFAULT_WINDOW),
    ]));
  }

  /** Requests that the peer lets be under way at a time. */
  get maxStreams(): number {
    return this.#maxStreams;
  }

  /** Whether a request with so many bytes may be sent now. */
  takes(sizeBytes: number): boolean {
    return sizeBytes <= this.#window && sizeBytes <= this.#streamWindow &&
      this.#next <= MAX_STREAM;
  }

  /** Sends a request; returns its stream's number, or 0 where its headers are too long. */
  request(headers: RequestHeaders, body: Uint8Array | null): number {
    const block = encodeRequest(headers);
    if (block.length > MAX_FRAME) return 0;
    const stream = this.#next;
    this.#next += 2;
    const last = body === null ? FLAG.END_STREAM : 0;
    const frames = [
      frame(TYPE.HEADERS, { flags: FLAG.END_HEADERS | last, stream, payload: block }),
    ];
    for (let at = 0; body !== null && at < body.length; at += MAX_FRAME) {
      const payload = body.subarray(at, at + MAX_FRAME);
      const flags = at + MAX_FRAME >= body.length ? FLAG.END_STREAM : 0;
      frames.push(frame(TYPE.DATA, { flags, stream, payload }));
    }
    this.#window -= body?.length ?? 0;
    this.#events.write(join(frames));
    return stream;
  }

  /** Gives a request up. */
  cancel(stream: number): void {
    const payload = Uint8Array.of(0, 0, 0, CANCEL);
    this.#events.write(frame(TYPE.RST_STREAM, { stream, payload }));
  }

  /** Reads what the peer has sent. */
  receive(bytes: Uint8Array): void {
    let all = bytes;
    if (this.#held.length > 0) all = join([this.#held, bytes]);
    let at = 0;
    while (!this.#broken && at + FRAME_HEADER <= all.length) {
      const view = new DataView(all.buffer, all.byteOffset + at);
      const length = view.getUint32(0) >>> 8;
      const type = view.getUint8(3);
      if (!this.#settled && type !== TYPE.SETTINGS) {
        this.#fail("the upstream does not speak HTTP/2");
        return;
      }
      if (length > MAX_FRAME) {
        this.#fail("the upstream breaks HTTP/2: a frame is too long");
        return;
      }
      if (at + FRAME_HEADER + length > all.length) break;
      const payload = all.subarray(at + FRAME_HEADER, at + FRAME_HEADER + length);
      this.#frame(type, view.getUint8(4), view.getUint32(5) & MAX_STREAM, payload);
      at += FRAME_HEADER + length;
    }
    // A copy, for what was received may not outlive this call.
    this.#held = all.slice(at);
  }

  #frame(type: number, flags: number, stream: number, payload: Uint8Array): void {
    if (this.#block !== null && (type !== TYPE.CONTINUATION || stream !== this.#block.stream)) {
      this.#fail("the upstream breaks HTTP/2: headers are interrupted");
      return;
    }
    switch (type) {
      case TYPE.DATA:
        this.#data(flags, stream, payload);
        break;
      case TYPE.HEADERS: {
        const content = unpad(flags, payload);
        if (content === null) return this.#fail("the upstream breaks HTTP/2: padding");
        const bytes = content.slice((flags & FLAG.PRIORITY) !== 0 ? 5 : 0);
        this.#block = { stream, bytes, ends: (flags & FLAG.END_STREAM) !== 0 };
        if ((flags & FLAG.END_HEADERS) !== 0) this.#headers();
        break;
      }
      case TYPE.CONTINUATION:
        if (this.#block === null) return this.#fail("the upstream breaks HTTP/2: no headers");
        this.#block.bytes = join([this.#block.bytes, payload]);
        if (this.#block.bytes.length > MAX_BLOCK) {
          return this.#fail("the upstream sends too many headers");
        }
        if ((flags & FLAG.END_HEADERS) !== 0) this.#headers();
        break;
      case TYPE.RST_STREAM:
        this.#events.reset(stream);
        break;
      case TYPE.SETTINGS:
        this.#settings(flags, payload);
        break;
      case TYPE.PUSH_PROMISE:
        this.#fail("the upstream breaks HTTP/2: it pushes");
        break;
      case TYPE.PING:
        if ((flags & FLAG.ACK) === 0 && payload.length === 8) {
          this.#events.write(frame(TYPE.PING, { flags: FLAG.ACK, payload }));
        }
        break;
      case TYPE.GOAWAY:
        if (payload.length < 8) return this.#fail("the upstream breaks HTTP/2: GOAWAY");
        this.#events.goaway(word(payload, 0) & MAX_STREAM, word(payload, 4));
        break;
      case TYPE.WINDOW_UPDATE:
        if (stream === 0 && payload.length === 4) {
          this.#window += word(payload, 0) & MAX_STREAM;
          this.#events.ready();
        }
    }
  }

  #data(flags: number, stream: number, payload: Uint8Array): void {
    const content = unpad(flags, payload);
    if (content === null) return this.#fail("the upstream breaks HTTP/2: padding");
    this.#received += payload.length;
    if (this.#received >= WINDOW_STEP) {
      this.#events.write(windowUpdate(this.#received));
      this.#received = 0;
    }
    if (content.length > 0) this.#events.data(stream, content);
    if ((flags & FLAG.END_STREAM) !== 0) this.#events.end(stream);
  }

  #headers(): void {
    const { stream, bytes, ends } = this.#block!;
    this.#block = null;
    const headers = decodeResponse(bytes);
    if (headers === null) return this.#fail("the upstream breaks HTTP/2: headers");
    this.#events.headers(stream, headers);
    if (ends) this.#events.end(stream);
  }

  #settings(flags: number, payload: Uint8Array): void {
    this.#settled = true;
    if ((flags & FLAG.ACK) !== 0) return;
    for (let at = 0; at + 6 <= payload.length; at += 6) {
      const name = (payload[at]! << 8) | payload[at + 1]!;
      const value = word(payload, at + 2);
      if (name === SETTING.MAX_CONCURRENT_STREAMS) this.#maxStreams = value;
      if (name === SETTING.INITIAL_WINDOW_SIZE) this.#streamWindow = value;
    }
    this.#events.write(frame(TYPE.SETTINGS, { flags: FLAG.ACK }));
    this.#events.ready();
  }

  #fail(why: string): void {
    if (this.#broken) return;
    this.#broken = true;
    this.#events.broken(why);
  }
}

/** What DATA and HEADERS carry besides their padding; null where that is longer than the frame. */
function unpad(flags: number, payload: Uint8Array): Uint8Array | null {
  if ((flags & FLAG.PADDED) === 0) return payload;
  const padding = payload[0];
  if (padding === undefined || 1 + padding > payload.length) return null;
  return payload.subarray(1, payload.length - padding);
}

function frame(
  type: number,
  { flags = 0, stream = 0, payload = new Uint8Array() }: {
    flags?: number;
    stream?: number;
    payload?: Uint8Array;
  },
): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, payload.length << 8 | type);
  view.setUint8(4, flags);
  view.setUint32(5, stream);
  bytes.set(payload, FRAME_HEADER);
  return bytes;
}

function windowUpdate(sizeBytes: number): Uint8Array {
  const payload = new Uint8Array(4);
  new DataView(payload.buffer).setUint32(0, sizeBytes);
  return frame(TYPE.WINDOW_UPDATE, { payload });
}

function word(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>>
    0;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
