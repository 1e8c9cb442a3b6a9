import type { StreamHandler } from "../../src/io/contract.ts";

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
  /** It has sent a reset; nothing can be written any more. */
  broken = false;
  readonly #kernelBytes: number;
  /** Bytes that it takes from now on. */
  #room: number;
  /** Sent by the client and not read yet. */
  #inbox: number[] = [];
  #ended = false;
  /** Written by nodens and not taken yet. */
  #unread: number[] = [];
  #partial: number[] = [];

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
    for (const octet of bytes) this.#inbox.push(octet);
  }

  end(): void {
    this.#ended = true;
  }

  /** The next bytes as the driver reads them; empty at the end of the stream. */
  read(): Uint8Array {
    if (this.#inbox.length === 0) this.#ended = false;
    return Uint8Array.from(this.#inbox.splice(0, READ_SIZE));
  }

  /** nodens writes. */
  write(bytes: Uint8Array): void {
    if (this.broken) return;
    for (const octet of bytes) this.#unread.push(octet);
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
    const taken = this.#unread.splice(0, Math.min(this.#room, this.#unread.length));
    this.#room -= taken.length;
    for (const octet of taken) this.#partial.push(octet);
    while (this.#partial.length >= 2) {
      const size = (this.#partial[0]! << 8) | this.#partial[1]!;
      if (this.#partial.length < size + 2) return;
      this.received.push(Uint8Array.from(this.#partial.splice(0, size + 2).slice(2)));
    }
  }
}
