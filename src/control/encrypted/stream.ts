import type { LaneEndpoint } from "../../io/lane_link.ts";
import { type Carrier, type CarrierEvents, FrameCarrier } from "./carrier.ts";
import { HttpCarrier } from "./http/carrier.ts";
import { FileHangs } from "./tls/bounded_reads.ts";
import type { Holder } from "./tls/byte_budget.ts";
import { closeConnection } from "./tls/connection.ts";
import { connectTls } from "./tls/connect.ts";
import type { TlsContext } from "./tls/context.ts";
import { UpstreamRefused } from "./tls/failure.ts";

const EXHAUSTED =
  "all upstreams over TLS hold too much memory together, this connection most of all";
const UNASKED = "the upstream sends unsolicited answers";

/** One encrypted stream. */
export class TlsStream implements CarrierEvents, Holder {
  held = 0;
  connected = false;
  sentBytes = 0;
  readonly received: Uint8Array[] = [];
  delivered = 0;
  why: string | null = null;
  waiting = false;
  readonly #context: TlsContext;
  readonly #onChange: (stream: TlsStream) => void;
  readonly #abort = new AbortController();
  #version: string | null = null;
  #carrier: Carrier | null = null;
  #unsent: Uint8Array[] = [];
  #answered = false;
  #closed = false;

  constructor(
    readonly id: number,
    readonly endpoint: LaneEndpoint,
    { context, onChange }: { context: TlsContext; onChange: (stream: TlsStream) => void },
  ) {
    this.#context = context;
    this.#onChange = onChange;
  }

  async open(): Promise<void> {
    const { endpoint } = this;
    const { refusals, files, handshakeMs, clock } = this.#context;
    try {
      const startMs = clock.now();
      const recent = refusals.reason(endpoint);
      if (recent !== null) return this.#refuse(recent);
      const { credentials, version } = await files.read(endpoint.tls);
      if (this.#closed) return;
      this.#version = version;
      const refused = refusals.reason(endpoint, version);
      if (refused !== null) return this.#refuse(refused);
      const connection = await connectTls(endpoint, {
        credentials,
        handshakeMs: handshakeMs - (clock.now() - startMs),
        signal: this.#abort.signal,
        clock,
      });
      if (this.#closed) return closeConnection(connection, clock);
      const parts = { connection, endpoint, context: this.#context, events: this };
      this.#carrier = endpoint.tls.http === null ? new FrameCarrier(parts) : new HttpCarrier(parts);
      if (this.waiting) this.#carrier.setPaused(true);
      this.connected = true;
      this.#onChange(this);
      for (const bytes of this.#unsent.splice(0)) this.write(bytes);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (error instanceof UpstreamRefused) refusals.add(endpoint, this.#version!, why);
      this.fail(why);
    }
  }

  write(bytes: Uint8Array): void {
    if (this.#closed) return;
    if (this.#carrier === null) this.#unsent.push(bytes);
    else this.#carrier.write(bytes);
  }

  setWaiting(waiting: boolean): void {
    if (waiting === this.waiting) return;
    this.waiting = waiting;
    if (!this.#closed) this.#carrier?.setPaused(waiting);
  }

  /** Avoids a faulty peer. `close` follows. */
  shun(): void {
    if (this.#closed || this.#version === null) return;
    this.#context.count("unasked");
    this.#context.refusals.add(this.endpoint, this.#version, UNASKED);
  }

  /** Fails if certificates were replaced; ignores a hanging file system. */
  async checkCertificates(): Promise<void> {
    if (this.#version === null) return;
    try {
      const version = await this.#context.files.version(this.endpoint.tls);
      if (version !== this.#version) this.fail("certificates have been replaced");
    } catch (error) {
      if (!(error instanceof FileHangs)) throw error;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unsent = [];
    this.#abort.abort();
    this.#carrier?.close();
  }

  fail(why: string): void {
    if (this.#closed) return;
    this.close();
    this.why = why;
    this.#onChange(this);
  }

  exhausted(): void {
    this.#context.count("budget");
    this.received.length = 0;
    this.delivered = 0;
    this.fail(EXHAUSTED);
  }

  data(bytes: Uint8Array): void {
    if (!this.#answered) this.#context.refusals.clear(this.endpoint);
    this.#answered = true;
    this.received.push(bytes);
    // Both encrypted and decrypted copies.
    this.#context.allocated(2 * bytes.length);
    this.charge(bytes.length);
    this.#onChange(this);
  }

  sent(sizeBytes: number): void {
    this.sentBytes += sizeBytes;
    this.charge(-sizeBytes);
    this.#onChange(this);
  }

  charge(change: number): void {
    this.#context.budget.change(this, change);
  }

  ended(why: string, refusal: boolean): void {
    if (refusal) this.#context.refusals.add(this.endpoint, this.#version!, why);
    this.fail(why);
  }

  #refuse(why: string): void {
    this.#context.count("refused");
    this.fail(why);
  }
}
