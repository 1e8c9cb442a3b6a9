import type { LaneEndpoint } from "../../io/lane_link.ts";
import { closeConnection } from "./tls/close.ts";
import type { SecureConnection } from "./tls/connect.ts";
import type { TlsContext } from "./tls/context.ts";
import { explainBreak, explainEnd, isRefusal } from "./tls/failure.ts";

/** What a carrier reports. */
export interface CarrierEvents {
  /** The receiver owns the bytes. */
  data(bytes: Uint8Array): void;
  sent(sizeBytes: number): void;
  /** The carrier holds more or fewer bytes, besides those written and not sent. */
  charge(change: number): void;
  /** `refusal`: another connection would fare no better, so the peer is avoided for a while. */
  ended(why: string, refusal: boolean): void;
}

/** What a carrier is made of. */
export interface CarrierParts {
  connection: SecureConnection;
  endpoint: LaneEndpoint;
  context: TlsContext;
  events: CarrierEvents;
}

/** An encrypted connection that carries DNS frames. After `ended` or `close` it reports nothing. */
export abstract class Carrier {
  protected readonly parts: CarrierParts;
  protected closed = false;
  #answered = false;

  constructor(parts: CarrierParts) {
    this.parts = parts;
    const { connection, endpoint, context } = parts;
    const { socket, transport } = connection;
    let why: string | null = null;
    let refused = false;
    const broken = (error: Error) => {
      const alert = isRefusal(error);
      // An alert says more than the reset that may come with it.
      if (why === null || alert) why = explainBreak(error, endpoint, this.#answered);
      // TLS 1.3 servers check a client's certificate after the handshake.
      refused ||= alert && !this.#answered;
    };
    const ended = () => this.fail(why ?? explainEnd(endpoint, this.#answered), refused);
    socket.on("data", (bytes: Uint8Array) => {
      if (this.closed) return;
      this.#answered = true;
      this.receive(bytes);
    });
    // Not reported: a later error may have the reason (a certificate is missing).
    socket.on("end", () => closeConnection(connection, context.clock));
    socket.on("error", broken);
    transport.on("error", broken);
    socket.on("close", ended);
    // After everything that the TLS socket still reports.
    transport.on("close", () => setImmediate(ended));
  }

  abstract write(bytes: Uint8Array): void;
  protected abstract receive(bytes: Uint8Array): void;

  setPaused(paused: boolean): void {
    this.parts.connection.transport.setPaused(paused);
  }

  close(): void {
    this.closed = true;
    closeConnection(this.parts.connection, this.parts.context.clock);
  }

  protected end(): void {
    this.fail(explainEnd(this.parts.endpoint, this.#answered));
  }

  protected fail(why: string, refusal = false): void {
    if (this.closed) return;
    this.close();
    this.parts.events.ended(why, refusal);
  }
}

/** DNS over TLS: frames as they are. */
export class FrameCarrier extends Carrier {
  write(bytes: Uint8Array): void {
    this.parts.connection.socket.write(bytes, (error) => {
      if (!error && !this.closed) this.parts.events.sent(bytes.length);
    });
  }

  protected receive(bytes: Uint8Array): void {
    this.parts.events.data(bytes);
  }
}
