import type { StreamHandler } from "../../../src/engine/io.ts";

const READ_SIZE = 2048;

export interface ClientOptions {
  client?: string;
  /** Bytes of responses read before `take` is called; default: unlimited. */
  takes?: number;
  kernelBytes?: number;
}

/** Both ends of a TCP connection between a simulated client and nodens. */
export class SimulatedClient {
  readonly client: string;
  readonly received: Uint8Array[] = [];
  handler: StreamHandler | null = null;
  paused = false;
  closing: "in order" | "abrupt" | null = null;
  finished = false;
  broken = false;
  readonly #kernelBytes: number;
  #room: number;
  /** Sent by the client, not yet read. */
  #inbox = new Uint8Array();
  #ended = false;
  /** Written by nodens, not yet read by the client. */
  #unread = new Uint8Array();
  #partial = new Uint8Array();

  constructor({ client = "192.0.2.99", takes = Infinity, kernelBytes = 0 }: ClientOptions = {}) {
    this.client = client;
    this.#room = takes;
    this.#kernelBytes = kernelBytes;
  }

  get queued(): number {
    return Math.max(0, this.#unread.length - this.#kernelBytes);
  }

  get inKernel(): number {
    return Math.min(this.#unread.length, this.#kernelBytes);
  }

  get readable(): boolean {
    return !this.paused && this.handler !== null && (this.#inbox.length > 0 || this.#ended);
  }

  put(bytes: Uint8Array): void {
    this.#inbox = join(this.#inbox, bytes);
  }

  end(): void {
    this.#ended = true;
  }

  read(): Uint8Array {
    if (this.#inbox.length === 0) this.#ended = false;
    const bytes = this.#inbox.slice(0, READ_SIZE);
    this.#inbox = this.#inbox.subarray(READ_SIZE);
    return bytes;
  }

  write(bytes: Uint8Array): void {
    if (this.broken) return;
    this.#unread = join(this.#unread, bytes);
    this.#move();
  }

  /** Reads more; returns whether that empties the queue. */
  take(bytes: number): boolean {
    const before = this.queued;
    this.#room += bytes;
    this.#move();
    return before > 0 && this.queued === 0;
  }

  #move(): void {
    const taken = Math.min(this.#room, this.#unread.length);
    this.#room -= taken;
    const all = join(this.#partial, this.#unread.subarray(0, taken));
    this.#unread = this.#unread.subarray(taken);
    let at = 0;
    while (at + 2 <= all.length) {
      const size = (all[at]! << 8) | all[at + 1]!;
      if (at + 2 + size > all.length) break;
      this.received.push(all.slice(at + 2, at + 2 + size));
      at += 2 + size;
    }
    this.#partial = all.slice(at);
  }
}

function join(a: Uint8Array<ArrayBuffer>, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
