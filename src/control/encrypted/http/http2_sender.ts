import { FLAG, frame, MAX_31, MAX_FRAME, TYPE } from "./http2_frames.ts";

/** Initial window (RFC 9113 section 6.9.2). */
export const DEFAULT_WINDOW = 65535;

interface Outgoing {
  window: number;
  body: Uint8Array | null;
}

/** Sends request bodies within the peer's windows (RFC 9113 section 5.2). */
export class Http2Sender {
  readonly #streams = new Map<number, Outgoing>();
  readonly #waiting = new Set<number>();
  #window = DEFAULT_WINDOW;
  #streamWindow = DEFAULT_WINDOW;

  get ready(): boolean {
    return this.#window > 0 && this.#waiting.size === 0;
  }

  open(id: number, body: Uint8Array | null, frames: Uint8Array[]): void {
    const stream = { window: this.#streamWindow, body };
    this.#streams.set(id, stream);
    this.#send(id, stream, frames);
  }

  close(id: number): boolean {
    const unsent = (this.#streams.get(id)?.body ?? null) !== null;
    this.#waiting.delete(id);
    this.#streams.delete(id);
    return unsent;
  }

  clear(): void {
    this.#streams.clear();
    this.#waiting.clear();
  }

  grow(id: number, more: number): boolean {
    if (id === 0) return (this.#window += more) <= MAX_31;
    const stream = this.#streams.get(id);
    return stream === undefined || (stream.window += more) <= MAX_31;
  }

  /** False if a window becomes too large. */
  resize(window: number): boolean {
    const change = window - this.#streamWindow;
    if (change === 0) return true;
    this.#streamWindow = window;
    let largest = window;
    for (const stream of this.#streams.values()) {
      stream.window += change;
      largest = Math.max(largest, stream.window);
    }
    return largest <= MAX_31;
  }

  proceed(): Uint8Array[] {
    const frames: Uint8Array[] = [];
    for (const id of this.#waiting) {
      if (this.#window <= 0) break;
      this.#send(id, this.#streams.get(id)!, frames);
    }
    return frames;
  }

  #send(id: number, stream: Outgoing, frames: Uint8Array[]): void {
    while (stream.body !== null) {
      const { body } = stream;
      const size = Math.min(body.length, MAX_FRAME, this.#window, stream.window);
      if (size <= 0 && body.length > 0) {
        this.#waiting.add(id);
        return;
      }
      const flags = size === body.length ? FLAG.END_STREAM : 0;
      frames.push(frame(TYPE.DATA, { flags, stream: id, payload: body.subarray(0, size) }));
      this.#window -= size;
      stream.window -= size;
      stream.body = size === body.length ? null : body.subarray(size);
    }
    this.#waiting.delete(id);
  }
}
