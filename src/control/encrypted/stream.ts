import type { LaneEndpoint } from "../../io/lane_link.ts";
import { openCarrier } from "./carrier.ts";
import type { TlsContext } from "./tls/context.ts";
import type { Carrier, TlsStreamEvents } from "./tls/events.ts";
import { UpstreamRefused } from "./tls/failure.ts";

const UNASKED = "the upstream sends what nobody asked for";

/** One encrypted stream: opens the connection, and holds what is written until it stands. */
export class TlsStream {
  readonly endpoint: LaneEndpoint;
  /** The certificates that it was opened with; null before. */
  version: string | null = null;
  readonly #events: TlsStreamEvents;
  readonly #context: TlsContext;
  readonly #abort = new AbortController();
  #carrier: Carrier | null = null;
  #waiting: Uint8Array[] = [];
  #paused = false;
  #answered = false;
  #gone = false;

  constructor(endpoint: LaneEndpoint, context: TlsContext, events: TlsStreamEvents) {
    this.endpoint = endpoint;
    this.#context = context;
    this.#events = events;
  }

  /** Connects; never rejects, a failure is reported by `closed`. */
  async open(): Promise<void> {
    const { refusals, files } = this.#context;
    try {
      const recent = refusals.recent(this.endpoint);
      if (recent !== null) return this.#refuse(recent);
      const sinceMs = performance.now();
      const { credentials, version } = await files.read(this.endpoint.tls);
      if (this.#gone) return;
      this.version = version;
      const refused = refusals.reason(this.endpoint, version);
      if (refused !== null) return this.#refuse(refused);
      const carrier = await openCarrier(this.endpoint, {
        credentials,
        // The time that reading has taken is gone.
        handshakeMs: this.#context.handshakeMs - (performance.now() - sinceMs),
        signal: this.#abort.signal,
        context: this.#context,
        events: {
          ...this.#guarded(),
          closed: (why, refusal = false) => {
            if (refusal && !this.#gone) refusals.add(this.endpoint, version, why);
            this.fail(why);
          },
        },
      });
      if (this.#gone) {
        carrier.close();
        return;
      }
      this.#carrier = carrier;
      if (this.#paused) carrier.pause(true);
      this.#events.connected();
      for (const bytes of this.#waiting.splice(0)) carrier.write(bytes);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (error instanceof UpstreamRefused) refusals.add(this.endpoint, this.version!, why);
      this.fail(why);
    }
  }

  /** Sends frames, or keeps them until the connection stands; the data plane bounds how many. */
  write(bytes: Uint8Array): void {
    if (this.#gone) return;
    if (this.#carrier === null) this.#waiting.push(bytes);
    else this.#carrier.write(bytes);
  }

  /** Stops or goes on reading from the network. */
  pause(paused: boolean): void {
    this.#paused = paused;
    if (!this.#gone) this.#carrier?.pause(paused);
  }

  /** The peer breaks the rules: it is left alone for a while. `close` follows. */
  shun(): void {
    if (this.#gone || this.version === null) return;
    this.#context.count("unasked");
    this.#context.refusals.add(this.endpoint, this.version, UNASKED);
  }

  /** Closes the connection and reports nothing any more. */
  close(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#waiting = [];
    this.#abort.abort();
    this.#carrier?.close();
  }

  /** Closes the connection and reports why. */
  fail(why: string): void {
    if (this.#gone) return;
    this.close();
    this.#events.closed(why);
  }

  #refuse(why: string): void {
    this.#context.count("refused");
    this.fail(why);
  }

  /** Events that end with the stream. */
  #guarded(): Omit<TlsStreamEvents, "closed"> {
    const { connected, data, sent, held } = this.#events;
    return {
      connected,
      data: (bytes) => {
        if (this.#gone) return;
        if (!this.#answered) this.#context.refusals.clear(this.endpoint);
        this.#answered = true;
        data(bytes);
      },
      sent: (sizeBytes) => {
        if (!this.#gone) sent(sizeBytes);
      },
      held: (change) => {
        if (!this.#gone) held(change);
      },
    };
  }
}
