/**
 * HTTP/2 client protocol (RFC 9113), without socket and clock.
 *
 * `fetch` would also trust built-in authorities; `node:http2` of Deno 2.9.6 takes four times the
 * CPU, crashes, and garbles bodies; JavaScript libraries are unmaintained.
 *
 * Frames without progress use up an allowance; at zero the connection is closed
 * (ENHANCE_YOUR_CALM).
 */
import {
  CODE,
  FLAG,
  frame,
  FrameReader,
  MAX_31,
  MAX_FRAME,
  SETTING,
  settingsPayload,
  TYPE,
  unpad,
  word,
  words,
} from "./http2_frames.ts";
import {
  decodeResponse,
  encodeRequest,
  MAX_BLOCK,
  type RequestHeaders,
  type ResponseHeaders,
} from "./http2_headers.ts";
import { DEFAULT_WINDOW, Http2Sender } from "./http2_sender.ts";
import { joinBytes } from "./join_bytes.ts";

/** Above a DNS message: only the connection's window needs updates. */
const STREAM_WINDOW = 131072;
const CONNECTION_WINDOW = 1024 * 1024;
const WINDOW_STEP = CONNECTION_WINDOW / 2;
const DEFAULT_STREAMS = 100;
/** Allowed frames: initial, per answer, per `earn`, maximum. */
const ALLOWANCE = { first: 256, answer: 16, pause: 16, most: 1024 } as const;
/** Fixed payload sizes; GOAWAY's is a minimum. */
const SIZES: Record<number, number> = {
  [TYPE.RST_STREAM]: 4,
  [TYPE.PING]: 8,
  [TYPE.GOAWAY]: 8,
  [TYPE.WINDOW_UPDATE]: 4,
};
/** Smaller DATA without END_STREAM uses up the allowance. */
const SMALL_DATA = 64;

/** Callbacks. Bytes are valid only during the call. */
export interface Http2Events {
  write(bytes: Uint8Array): void;
  ready(): void;
  headers(stream: number, headers: ResponseHeaders): void;
  data(stream: number, bytes: Uint8Array): void;
  end(stream: number): void;
  reset(stream: number): void;
  goaway(last: number, code: number): void;
  broken(fault: { why: string; flood: boolean }): void;
}

interface OpenStream {
  received: number;
  answered: boolean;
}

/** One HTTP/2 connection. */
export class Http2Client {
  readonly #events: Http2Events;
  readonly #reader = new FrameReader();
  readonly #streams = new Map<number, OpenStream>();
  readonly #sender = new Http2Sender();
  #next = 1;
  #maxStreams = DEFAULT_STREAMS;
  /** Advertised, and received since the update. */
  #receiveWindow = CONNECTION_WINDOW;
  #received = 0;
  #allowance: number = ALLOWANCE.first;
  #settled = false;
  #broken = false;
  #block: { stream: number; bytes: Uint8Array; length: number; ends: boolean } | null = null;
  #copied = 0;

  constructor(events: Http2Events) {
    this.#events = events;
    const settings = settingsPayload([
      [SETTING.HEADER_TABLE_SIZE, 0],
      [SETTING.ENABLE_PUSH, 0],
      [SETTING.INITIAL_WINDOW_SIZE, STREAM_WINDOW],
      [SETTING.MAX_HEADER_LIST_SIZE, MAX_BLOCK],
    ]);
    events.write(joinBytes([
      new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
      frame(TYPE.SETTINGS, { payload: settings }),
      frame(TYPE.WINDOW_UPDATE, { payload: words(CONNECTION_WINDOW - DEFAULT_WINDOW) }),
    ]));
  }

  get ready(): boolean {
    if (this.#broken || this.#next > MAX_31 || this.#streams.size >= this.#maxStreams) return false;
    return this.#sender.ready;
  }

  get copied(): number {
    return this.#copied + this.#reader.copied;
  }

  request(headers: RequestHeaders, body: Uint8Array | null): number {
    const block = encodeRequest(headers);
    if (block.length > MAX_FRAME) return 0;
    const id = this.#next;
    this.#next += 2;
    this.#streams.set(id, { received: 0, answered: false });
    const flags = FLAG.END_HEADERS | (body === null ? FLAG.END_STREAM : 0);
    const frames = [frame(TYPE.HEADERS, { flags, stream: id, payload: block })];
    this.#sender.open(id, body, frames);
    this.#events.write(joinBytes(frames));
    return id;
  }

  cancel(stream: number): void {
    if (this.#delete(stream)) this.#reject(stream);
  }

  stop(): void {
    this.#broken = true;
  }

  /** Call every few seconds. */
  earn(): void {
    this.#allow(ALLOWANCE.pause);
  }

  receive(bytes: Uint8Array): void {
    if (this.#broken) return;
    this.#reader.read(
      bytes,
      (type, length) => this.#check(type, length),
      (type, flags, stream, payload) => {
        this.#frame(type, flags, stream, payload);
        return !this.#broken;
      },
    );
  }

  #check(type: number, length: number): boolean {
    if (!this.#settled && type !== TYPE.SETTINGS) {
      this.#fail("does not speak HTTP/2");
    } else if (length > MAX_FRAME) {
      this.#fail("breaks HTTP/2: a frame is too long", CODE.FRAME_SIZE_ERROR);
    }
    return !this.#broken;
  }

  #frame(type: number, flags: number, stream: number, payload: Uint8Array): void {
    if (this.#block !== null && (type !== TYPE.CONTINUATION || stream !== this.#block.stream)) {
      return this.#fail("breaks HTTP/2: headers are interrupted");
    }
    const size = SIZES[type];
    if (size === payload.length || (type === TYPE.GOAWAY && payload.length >= 8)) {
      if (!this.#spend()) return;
    } else if (size !== undefined) {
      const name = Object.entries(TYPE).find(([, value]) => value === type)![0];
      return this.#fail(`breaks HTTP/2: ${name}`, CODE.FRAME_SIZE_ERROR);
    }
    switch (type) {
      case TYPE.DATA:
        return this.#data(flags, stream, payload);
      case TYPE.HEADERS:
        return this.#headers(flags, stream, payload);
      case TYPE.CONTINUATION:
        if (this.#block === null) return this.#fail("breaks HTTP/2: no headers");
        return this.#collect(flags, payload);
      case TYPE.RST_STREAM:
        if (this.#streamOf(stream) && this.#delete(stream)) this.#events.reset(stream);
        return;
      case TYPE.SETTINGS:
        return this.#settings(flags, stream, payload);
      case TYPE.PUSH_PROMISE:
        return this.#fail("breaks HTTP/2: it pushes");
      case TYPE.PING:
        if ((flags & FLAG.ACK) !== 0) return;
        return this.#events.write(frame(TYPE.PING, { flags: FLAG.ACK, payload }));
      case TYPE.GOAWAY:
        return this.#events.goaway(word(payload, 0) & MAX_31, word(payload, 4));
      case TYPE.WINDOW_UPDATE:
        return this.#windowUpdate(stream, payload);
      default:
        this.#spend();
    }
  }

  #data(flags: number, id: number, payload: Uint8Array): void {
    const content = unpad(flags, payload);
    if (content === null) return this.#fail("breaks HTTP/2: padding");
    this.#receiveWindow -= payload.length;
    this.#received += payload.length;
    if (this.#receiveWindow < 0) return this.#failFlow();
    const stream = this.#streamOf(id);
    if (stream === undefined) return;
    const ends = (flags & FLAG.END_STREAM) !== 0;
    if ((stream === null || (!ends && content.length < SMALL_DATA)) && !this.#spend()) return;
    if (this.#received >= WINDOW_STEP) {
      this.#events.write(frame(TYPE.WINDOW_UPDATE, { payload: words(this.#received) }));
      this.#receiveWindow += this.#received;
      this.#received = 0;
    }
    if (stream === null) return;
    if (!stream.answered) return this.#fail("breaks HTTP/2: content before headers");
    stream.received += payload.length;
    if (stream.received > STREAM_WINDOW) return this.#failFlow();
    if (content.length > 0) this.#events.data(id, content);
    if (ends) this.#end(id);
  }

  #headers(flags: number, stream: number, payload: Uint8Array): void {
    const content = unpad(flags, payload);
    const at = (flags & FLAG.PRIORITY) !== 0 ? 5 : 0;
    if (content === null || content.length < at) return this.#fail("breaks HTTP/2: padding");
    const open = this.#streamOf(stream);
    if (open === undefined) return;
    // Useless on a closed stream, but may be continued.
    if (open === null && !this.#spend()) return;
    const bytes = content.subarray(at);
    const ends = (flags & FLAG.END_STREAM) !== 0;
    if ((flags & FLAG.END_HEADERS) !== 0) return this.#respond(stream, bytes, ends);
    this.#block = { stream, bytes: new Uint8Array(MAX_BLOCK), length: 0, ends };
    this.#collect(flags, bytes);
  }

  #collect(flags: number, bytes: Uint8Array): void {
    const block = this.#block!;
    if (bytes.length < SMALL_DATA && (flags & FLAG.END_HEADERS) === 0 && !this.#spend()) return;
    if (block.length + bytes.length > MAX_BLOCK) {
      return this.#fail("sends too many headers", CODE.ENHANCE_YOUR_CALM);
    }
    block.bytes.set(bytes, block.length);
    block.length += bytes.length;
    this.#copied += bytes.length;
    if ((flags & FLAG.END_HEADERS) === 0) return;
    this.#block = null;
    this.#respond(block.stream, block.bytes.subarray(0, block.length), block.ends);
  }

  #respond(id: number, block: Uint8Array, ends: boolean): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    const headers = decodeResponse(block);
    if (headers === null) return this.#fail("breaks HTTP/2: headers", CODE.COMPRESSION_ERROR);
    if (!stream.answered) {
      const { status } = headers;
      const interim = status !== null && status < 200;
      if (interim && ends) return this.#fail("breaks HTTP/2: headers");
      if (interim && !this.#spend()) return;
      stream.answered = !interim;
      this.#events.headers(id, headers);
    } else if (!ends) return this.#fail("breaks HTTP/2: headers amid content");
    if (ends) this.#end(id);
  }

  #windowUpdate(id: number, payload: Uint8Array): void {
    const more = word(payload, 0) & MAX_31;
    if (more === 0) return this.#fail("breaks HTTP/2: WINDOW_UPDATE");
    if (id !== 0 && !this.#streamOf(id)) return;
    if (!this.#sender.grow(id, more)) return this.#failFlow();
    this.#proceed();
  }

  #settings(flags: number, stream: number, payload: Uint8Array): void {
    const acknowledges = (flags & FLAG.ACK) !== 0;
    if (stream !== 0 || (acknowledges && (payload.length > 0 || !this.#settled))) {
      return this.#fail("breaks HTTP/2: SETTINGS");
    }
    if (payload.length % 6 !== 0) {
      return this.#fail("breaks HTTP/2: SETTINGS", CODE.FRAME_SIZE_ERROR);
    }
    if (this.#settled && !this.#spend()) return;
    this.#settled = true;
    if (acknowledges) return;
    let window: number | null = null;
    for (let at = 0; at < payload.length; at += 6) {
      const name = (payload[at]! << 8) | payload[at + 1]!;
      const value = word(payload, at + 2);
      if (name === SETTING.MAX_CONCURRENT_STREAMS) this.#maxStreams = value;
      if (name !== SETTING.INITIAL_WINDOW_SIZE) continue;
      if (value > MAX_31) return this.#failFlow();
      window = value;
    }
    if (window !== null && !this.#sender.resize(window)) return this.#failFlow();
    this.#events.write(frame(TYPE.SETTINGS, { flags: FLAG.ACK }));
    this.#proceed();
  }

  #proceed(): void {
    const frames = this.#sender.proceed();
    if (frames.length > 0) this.#events.write(joinBytes(frames));
    this.#events.ready();
  }

  #reject(stream: number): void {
    this.#events.write(frame(TYPE.RST_STREAM, { stream, payload: words(CODE.CANCEL) }));
  }

  #delete(id: number): boolean {
    this.#sender.close(id);
    return this.#streams.delete(id);
  }

  #end(id: number): void {
    // The data callback may have cancelled it.
    if (!this.#streams.delete(id)) return;
    if (this.#sender.close(id)) this.#reject(id);
    this.#allow(ALLOWANCE.answer);
    this.#events.end(id);
  }

  /** Null if closed; undefined, with a fault, if never opened. */
  #streamOf(id: number): OpenStream | null | undefined {
    const stream = this.#streams.get(id);
    if (stream !== undefined) return stream;
    if (id % 2 === 1 && id < this.#next) return null;
    this.#fail("breaks HTTP/2: a stream that was never opened");
    return undefined;
  }

  /** Charges a frame without progress. */
  #spend(): boolean {
    if (--this.#allowance >= 0) return true;
    this.#fail("sends too many frames that carry nothing", CODE.ENHANCE_YOUR_CALM);
    return false;
  }

  #allow(more: number): void {
    this.#allowance = Math.min(ALLOWANCE.most, this.#allowance + more);
  }

  #failFlow(): void {
    this.#fail("breaks HTTP/2: flow control", CODE.FLOW_CONTROL_ERROR);
  }

  #fail(what: string, code: number = CODE.PROTOCOL_ERROR): void {
    if (this.#broken) return;
    this.#broken = true;
    this.#streams.clear();
    this.#sender.clear();
    this.#block = null;
    this.#events.write(frame(TYPE.GOAWAY, { payload: words(0, code) }));
    this.#events.broken({ why: `the upstream ${what}`, flood: code === CODE.ENHANCE_YOUR_CALM });
  }
}
