import type { LaneEndpoint } from "../../io/lane_link.ts";
import { closeConnection, type SecureConnection } from "./tls/connection.ts";
import type { TlsContext } from "./tls/context.ts";
import { explainBreak, explainEnd, isRefusal } from "./tls/failure.ts";

/** Callbacks of a carrier. */
export interface CarrierEvents {
  /** The receiver owns the bytes. */
  data(bytes: Uint8Array): void;
  sent(sizeBytes: number): void;
  /** Change in memory held, unsent output excluded. */
  charge(change: number): void;
  /** `refusal`: a new connection would fail too. */
  ended(why: string, refusal: boolean): void;
}

/** Parts of a carrier. */
export interface CarrierParts {
  connection: SecureConnection;
  endpoint: LaneEndpoint;
  context: TlsContext;
  events: CarrierEvents;
}

/** Encrypted connection for DNS frames; silent after `ended` or `close`. */
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
      // An alert explains a later reset.
      if (why === null || alert) why = explainBreak(error, endpoint, this.#answered);
      // TLS 1.3 servers check client certificates after the handshake.
      refused ||= alert && !this.#answered;
    };
    const ended = () => this.fail(why ?? explainEnd(endpoint, this.#answered), refused);
    socket.on("data", (bytes: Uint8Array) => {
      if (this.closed) return;
      this.#answered = true;
      this.receive(bytes);
    });
    // A later error may have the reason.
    socket.on("end", () => closeConnection(connection, context.clock));
    socket.on("error", broken);
    transport.on("error", broken);
    socket.on("close", ended);
    // After all TLS events.
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

/** DNS over TLS: frames unchanged. */
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
