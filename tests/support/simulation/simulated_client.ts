import type { StreamHandler } from "../../../src/engine/io.ts";

/** What a driver reads of a client's connection at a time. */
const READ_SIZE = 2048;

/** How a simulated client's connection is. */
export interface ClientOptions {
  /** Its address. */
  client?: string;
  /** Bytes of responses that it takes without being told to (`take`); default: any number. */
  takes?: number;
  /** Bytes that the kernel holds for it before the driver has to queue. */
  kernelBytes?: number;
}

/** The network between a simulated client and nodens: both ends of one TCP connection. */
export class SimulatedClient {
  readonly client: string;
  /** Messages that it has received, without their length. */
  readonly received: Uint8Array[] = [];
  handler: StreamHandler | null = null;
  paused = false;
  /** How nodens closed it, or null. */
  closing: "in order" | "abrupt" | null = null;
  /** nodens sends no more. */
  finished = false;
  /** It has sent a reset; nothing can be written any more. */
  broken = false;
  readonly #kernelBytes: number;
  /** Bytes that it takes from now on. */
  #room: number;
  /** Sent by the client and not read yet. */
  #inbox = new Uint8Array();
  #ended = false;
  /** Written by nodens and not taken yet. */
  #unread = new Uint8Array();
  #partial = new Uint8Array();

  constructor({ client = "192.0.2.99", takes = Infinity, kernelBytes = 0 }: ClientOptions = {}) {
    this.client = client;
    this.#room = takes;
    this.#kernelBytes = kernelBytes;
  }

  /** Bytes that the driver had to queue. */
  get queued(): number {
    return Math.max(0, this.#unread.length - this.#kernelBytes);
  }

  /** Bytes in the kernel. */
  get inKernel(): number {
    return Math.min(this.#unread.length, this.#kernelBytes);
  }

  /** What it has sent lies unread. */
  get readable(): boolean {
    return !this.paused && this.handler !== null && (this.#inbox.length > 0 || this.#ended);
  }

  put(bytes: Uint8Array): void {
    this.#inbox = join(this.#inbox, bytes);
  }

  end(): void {
    this.#ended = true;
  }

  /** The next bytes as the driver reads them; empty at the end of the stream. */
  read(): Uint8Array {
    if (this.#inbox.length === 0) this.#ended = false;
    const bytes = this.#inbox.slice(0, READ_SIZE);
    this.#inbox = this.#inbox.subarray(READ_SIZE);
    return bytes;
  }

  /** nodens writes. */
  write(bytes: Uint8Array): void {
    if (this.broken) return;
    this.#unread = join(this.#unread, bytes);
    this.#move();
  }

  /** The client takes some more; true where that empties the queue. */
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
