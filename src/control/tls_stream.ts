import { type LaneEndpoint, MAX_LANE_UNREAD } from "../io/lane.ts";

/** What a stream reports; `closed` is the last. */
export interface TlsStreamEvents {
  connected(): void;
  /** Bytes came; they are good during the call only. */
  data(bytes: Uint8Array): void;
  /** So many of the bytes written have been taken by the peer's side of the connection. */
  sent(sizeBytes: number): void;
  ended(): void;
  closed(why: string): void;
}

/** An encrypted connection that carries DNS frames, by itself or as HTTP requests. */
export interface Carrier {
  write(bytes: Uint8Array): void;
  close(): void;
}

/**
 * One encrypted stream: opens the connection, holds what is written until it stands, and keeps what
 * is under way to the data plane within its bound.
 */
export class TlsStream {
  readonly #endpoint: LaneEndpoint;
  readonly #events: TlsStreamEvents;
  readonly #handshakeMs: number;
  readonly #abort = new AbortController();
  #carrier: Carrier | null = null;
  #waiting: Uint8Array[] = [];
  #unread = 0;
  #paused = false;
  /** What came while the engine paused. */
  #held: Uint8Array[] = [];
  #gone = false;

  constructor(endpoint: LaneEndpoint, options: { handshakeMs: number; events: TlsStreamEvents }) {
    this.#endpoint = endpoint;
    this.#handshakeMs = options.handshakeMs;
    this.#events = options.events;
  }

  /** Connects; never rejects, a failure is reported by `closed`. */
  async open(): Promise<void> {
    try {
      // Loaded with the first encrypted upstream only: node:tls takes some megabytes.
      const { openCarrier } = await import("./tls_carrier.ts");
      if (this.#gone) return;
      const carrier = await openCarrier(this.#endpoint, {
        handshakeMs: this.#handshakeMs,
        signal: this.#abort.signal,
        events: {
          ...this.#events,
          data: (bytes) => this.#received(bytes),
          sent: (sizeBytes) => {
            if (!this.#gone) this.#events.sent(sizeBytes);
          },
          ended: () => {
            if (!this.#gone) this.#events.ended();
          },
          closed: (why) => this.#fail(why),
        },
      });
      if (this.#gone) {
        carrier.close();
        return;
      }
      this.#carrier = carrier;
      this.#events.connected();
      for (const bytes of this.#waiting) carrier.write(bytes);
      this.#waiting = [];
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
    }
  }

  /** Sends frames, or keeps them until the connection stands; the data plane bounds how many. */
  write(bytes: Uint8Array): void {
    if (this.#carrier === null) this.#waiting.push(bytes);
    else this.#carrier.write(bytes);
  }

  /** Stops or goes on handing over what comes. */
  pause(paused: boolean): void {
    this.#paused = paused;
    if (paused) return;
    const held = this.#held;
    this.#held = [];
    for (const bytes of held) this.#events.data(bytes);
  }

  /** The data plane has taken so many bytes. */
  taken(sizeBytes: number): void {
    this.#unread -= sizeBytes;
  }

  /** Closes the connection and reports nothing any more. */
  close(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#waiting = [];
    this.#held = [];
    this.#abort.abort();
    this.#carrier?.close();
  }

  #received(bytes: Uint8Array): void {
    if (this.#gone) return;
    this.#unread += bytes.length;
    if (this.#unread > MAX_LANE_UNREAD) this.#fail("the upstream sends more than can be read");
    else if (this.#paused) this.#held.push(new Uint8Array(bytes));
    else this.#events.data(bytes);
  }

  #fail(why: string): void {
    if (this.#gone) return;
    this.close();
    this.#events.closed(why);
  }
}
