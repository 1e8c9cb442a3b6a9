import type { Socket } from "node:net";
import { Duplex } from "node:stream";

type Done = (error?: Error | null) => void;

/**
 * A TCP connection below a TLS socket, which can hold the peer up.
 *
 * A TLS socket of Deno's that is given the TCP socket itself reads from it without end, however both
 * are paused, and keeps what comes outside of JavaScript's memory. So the TLS socket is given this
 * stream: what comes is handed to it piece by piece, and nothing while it is paused.
 */
export class TlsTransport extends Duplex {
  readonly #tcp: Socket;
  #paused = false;

  /** @param tcp - a connection that stands */
  constructor(tcp: Socket) {
    super();
    this.#tcp = tcp;
    tcp.on("data", (bytes: Uint8Array) => this.push(bytes));
    tcp.on("end", () => this.push(null));
    tcp.on("error", (error) => this.destroy(error));
    tcp.on("close", () => this.destroy());
  }

  /** Whether nothing is read. */
  get held(): boolean {
    return this.#paused;
  }

  /** Stops or goes on reading from the network. */
  hold(paused: boolean): void {
    if (paused === this.#paused) return;
    this.#paused = paused;
    if (paused) this.#tcp.pause();
    // In a turn of its own: this may be called amid the data that it was paused for.
    else setImmediate(() => this.#goOn());
  }

  override _read(): void {
    // The TCP socket brings what it has by itself.
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

  #goOn(): void {
    if (!this.#paused && !this.destroyed) this.#tcp.resume();
  }
}
