import type { TLSSocket } from "node:tls";
import type { LaneEndpoint } from "../io/lane.ts";
import { connectTls } from "./tls_connect.ts";
import { explainEnd, explainFailure } from "./tls_failure.ts";
import { HttpCarrier } from "./tls_http.ts";
import type { Carrier, TlsStreamEvents } from "./tls_stream.ts";

/** Time that the peer is given to take what is left and to say goodbye. */
const LINGER_MS = 1000;

/** Connects and, for DNS over HTTPS, sets HTTP/2 up. Rejects with an error that says what is wrong. */
export async function openCarrier(
  endpoint: LaneEndpoint,
  options: { handshakeMs: number; signal: AbortSignal; events: TlsStreamEvents },
): Promise<Carrier> {
  const socket = await connectTls(endpoint, options);
  return endpoint.tls.http === null
    ? new FrameCarrier(socket, endpoint, options.events)
    : new HttpCarrier(socket, endpoint, options.events);
}

/** DNS over TLS: the stream's bytes as they are. */
class FrameCarrier implements Carrier {
  readonly #socket: TLSSocket;
  readonly #events: TlsStreamEvents;
  #answered = false;
  #why: string | null = null;

  constructor(socket: TLSSocket, endpoint: LaneEndpoint, events: TlsStreamEvents) {
    this.#socket = socket;
    this.#events = events;
    socket.on("data", (bytes: Uint8Array) => {
      this.#answered = true;
      events.data(bytes);
    });
    // Not reported as an end of its own: the error behind it may say why (a certificate is missing).
    socket.on("end", () => closeSocket(socket));
    socket.on("error", (error) => this.#why = explainFailure(error));
    socket.on("close", () => events.closed(this.#why ?? explainEnd(endpoint, this.#answered)));
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes, (error) => {
      if (!error) this.#events.sent(bytes.length);
    });
  }

  close(): void {
    closeSocket(this.#socket);
  }
}

/** Ends a connection politely, and for good after a while. */
export function closeSocket(socket: TLSSocket): void {
  if (socket.destroyed) return;
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(timer));
  // What still comes is thrown away, so that the peer's goodbye is seen.
  socket.resume();
  socket.end();
}
