/** HTTP/2 frames (RFC 9113 sections 4 to 7). */

/** Frame types. */
export const TYPE = {
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

/** Frame flags. */
export const FLAG = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 } as const;

/** Settings sent or obeyed. */
export const SETTING = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_HEADER_LIST_SIZE: 6,
} as const;

/** Error codes (section 7). */
export const CODE = {
  PROTOCOL_ERROR: 1,
  FLOW_CONTROL_ERROR: 3,
  FRAME_SIZE_ERROR: 6,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  ENHANCE_YOUR_CALM: 11,
} as const;

/** Size of a frame header. */
export const FRAME_HEADER = 9;
/** Maximum payload: the smallest limit a peer may set. */
export const MAX_FRAME = 16384;
/** Maximum stream number and window. */
export const MAX_31 = 0x7fffffff;

/** Encodes a frame. */
export function frame(
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

/** Encodes 32-bit numbers. */
export function words(...values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * values.length));
  values.forEach((value, i) => view.setUint32(4 * i, value));
  return new Uint8Array(view.buffer);
}

/** Encodes settings. */
export function settingsPayload(settings: readonly (readonly [number, number])[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(6 * settings.length));
  settings.forEach(([name, value], i) => {
    view.setUint16(6 * i, name);
    view.setUint32(6 * i + 2, value);
  });
  return new Uint8Array(view.buffer);
}

/** Reads a 32-bit number. */
export function word(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>>
    0;
}

/** DATA or HEADERS without padding; null if malformed. */
export function unpad(flags: number, payload: Uint8Array): Uint8Array | null {
  if ((flags & FLAG.PADDED) === 0) return payload;
  const padding = payload[0];
  if (padding === undefined || 1 + padding > payload.length) return null;
  return payload.subarray(1, payload.length - padding);
}

/** Splits octets into frames; buffers one frame at most. */
export class FrameReader {
  copied = 0;
  #buffer: Uint8Array | null = null;
  #length = 0;

  /** Calls `check` per header and `handle` per frame; either stops with false. */
  read(
    bytes: Uint8Array,
    check: (type: number, length: number) => boolean,
    handle: (type: number, flags: number, stream: number, payload: Uint8Array) => boolean,
  ): void {
    let at = 0;
    while (at < bytes.length) {
      let source = bytes;
      let start = at;
      if (this.#length > 0 || bytes.length - at < FRAME_HEADER) {
        at += this.#fill(bytes, at, FRAME_HEADER);
        if (this.#length < FRAME_HEADER) return;
        source = this.#buffer!;
        start = 0;
      }
      const length = word(source, start) >>> 8;
      const type = source[start + 3]!;
      if (!check(type, length)) return;
      const size = FRAME_HEADER + length;
      if (source !== bytes || bytes.length - at < size) {
        at += this.#fill(bytes, at, size);
        if (this.#length < size) return;
        source = this.#buffer!;
        start = 0;
        this.#length = 0;
      } else at += size;
      const payload = source.subarray(start + FRAME_HEADER, start + size);
      if (!handle(type, source[start + 4]!, word(source, start + 5) & MAX_31, payload)) return;
    }
  }

  #fill(bytes: Uint8Array, at: number, size: number): number {
    const buffer = this.#buffer ??= new Uint8Array(FRAME_HEADER + MAX_FRAME);
    const count = Math.max(0, Math.min(size - this.#length, bytes.length - at));
    buffer.set(bytes.subarray(at, at + count), this.#length);
    this.#length += count;
    this.copied += count;
    return count;
  }
}
