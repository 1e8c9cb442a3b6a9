import type { LaneEndpoint } from "../../io/lane_link.ts";
import { type ConnectOptions, connectTls, type SecureConnection } from "./tls/connect.ts";
import type { TlsContext } from "./tls/context.ts";
import { watchEnds } from "./tls/ends.ts";
import { explainEnd } from "./tls/failure.ts";
import { HttpCarrier } from "./http/http.ts";
import { closeConnection } from "./tls/goodbye.ts";
import type { Carrier, CarrierEvents } from "./tls/events.ts";

/** Connects and, for DNS over HTTPS, sets HTTP/2 up. Rejects with an error that says what is wrong. */
export async function openCarrier(
  endpoint: LaneEndpoint,
  options: ConnectOptions & { context: TlsContext; events: CarrierEvents },
): Promise<Carrier> {
  const connection = await connectTls(endpoint, options);
  return endpoint.tls.http === null
    ? new FrameCarrier(connection, endpoint, options.events)
    : new HttpCarrier(connection, endpoint, options);
}

/** DNS over TLS: the stream's bytes as they are. */
class FrameCarrier implements Carrier {
  readonly #connection: SecureConnection;
  readonly #events: CarrierEvents;
  #answered = false;
  #why: string | null = null;
  #refused = false;

  constructor(connection: SecureConnection, endpoint: LaneEndpoint, events: CarrierEvents) {
    this.#connection = connection;
    this.#events = events;
    connection.socket.on("data", (bytes: Uint8Array) => {
      this.#answered = true;
      events.data(bytes);
    });
    watchEnds(connection, endpoint, {
      answered: () => this.#answered,
      failed: (why, alert) => {
        // An alert says more than the reset that may come with it.
        if (this.#why === null || alert) this.#why = why;
        // TLS 1.3 lets servers look at a client's certificate after the handshake.
        this.#refused ||= alert && !this.#answered;
      },
      closed: () => events.closed(this.#why ?? explainEnd(endpoint, this.#answered), this.#refused),
    });
  }

  write(bytes: Uint8Array): void {
    this.#connection.socket.write(bytes, (error) => {
      if (!error) this.#events.sent(bytes.length);
    });
  }

  pause(paused: boolean): void {
    this.#connection.transport.hold(paused);
  }

  close(): void {
    closeConnection(this.#connection);
  }
}
