import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { Clock } from "../../../base/clock.ts";

const LINGER_MS = 1000;
const LINGER_BYTES = 128 * 1024;
/** Lingering connections; descriptors come from `FILE_SHARES.process`. */
export const MAX_LINGERING = 4;

type Done = (error?: Error | null) => void;

/** Pausable TCP connection below a TLS socket: on a plain one Deno's TLS reads even when paused. */
export class TlsTransport extends Duplex {
  readonly #tcp: Socket;
  paused = false;

  constructor(tcp: Socket) {
    super();
    this.#tcp = tcp;
    tcp.on("data", (bytes: Uint8Array) => this.push(bytes));
    tcp.on("end", () => this.push(null));
    tcp.on("error", (error) => this.destroy(error));
    tcp.on("close", () => this.destroy());
  }

  setPaused(paused: boolean): void {
    if (paused === this.paused) return;
    this.paused = paused;
    if (paused) this.#tcp.pause();
    // Deferred: the caller may be handling data.
    else {
      setImmediate(() => {
        if (!this.paused && !this.destroyed) this.#tcp.resume();
      });
    }
  }

  override _read(): void {
  }

  override _write(bytes: Uint8Array, _encoding: string, done: Done): void {
    this.#tcp.write(bytes, done);
  }

  override _final(done: Done): void {
    this.#tcp.end(() => done());
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#tcp.destroy();
    done(error);
  }
}

/** TLS over its transport. */
export interface SecureConnection {
  readonly socket: TLSSocket;
  readonly transport: TlsTransport;
}

/** With their destroying functions, oldest first. */
const lingering = new Map<SecureConnection["transport"], () => void>();

/** Closes gracefully, or at once if slow or beyond `MAX_LINGERING`. */
export function closeConnection({ socket, transport }: SecureConnection, clock: Clock): void {
  if (transport.destroyed || lingering.has(transport)) return;
  const forget = () => {
    cancel();
    lingering.delete(transport);
  };
  const destroy = () => {
    forget();
    socket.destroy();
    transport.destroy();
  };
  const cancel = clock.after(LINGER_MS, destroy);
  if (transport.paused) return destroy();
  if (lingering.size >= MAX_LINGERING) lingering.values().next().value!();
  lingering.set(transport, destroy);
  transport.once("close", forget);
  let left = LINGER_BYTES;
  // Drained to detect the peer's close.
  socket.on("data", (bytes: Uint8Array) => {
    if ((left -= bytes.length) < 0) destroy();
  });
  socket.resume();
  socket.end();
}
