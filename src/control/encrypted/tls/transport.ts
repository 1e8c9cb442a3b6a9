import type { Socket } from "node:net";
import { Duplex } from "node:stream";

type Done = (error?: Error | null) => void;

/**
 * Pausable TCP connection below a TLS socket. On a plain one Deno's TLS reads even when paused, and
 * buffers outside JavaScript's memory.
 */
export class TlsTransport extends Duplex {
  readonly #tcp: Socket;
  #paused = false;

  constructor(tcp: Socket) {
    super();
    this.#tcp = tcp;
    tcp.on("data", (bytes: Uint8Array) => this.push(bytes));
    tcp.on("end", () => this.push(null));
    tcp.on("error", (error) => this.destroy(error));
    tcp.on("close", () => this.destroy());
  }

  get paused(): boolean {
    return this.#paused;
  }

  setPaused(paused: boolean): void {
    if (paused === this.#paused) return;
    this.#paused = paused;
    if (paused) this.#tcp.pause();
    // Deferred: the caller may be handling data.
    else {
      setImmediate(() => {
        if (!this.#paused && !this.destroyed) this.#tcp.resume();
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
