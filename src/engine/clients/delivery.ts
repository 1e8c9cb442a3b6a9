import type { Io } from "../io.ts";
import { MIN_RATE, UNCOUNTED_BYTES } from "./stream_limits.ts";

/** What a stream's client has received of what was sent, and how fast. */
export class Delivery {
  readonly #io: Io;
  readonly #stream: number;
  /** Bytes sent, and those known to be received. */
  #sent = 0;
  #received = 0;
  /** When the rate's measurement started, or -1. */
  #sinceMs = -1;
  /** Bytes received by then. */
  #receivedThen = 0;

  constructor(io: Io, stream: number) {
    this.#io = io;
    this.#stream = stream;
  }

  /** Bytes queued by the driver. */
  get queued(): number {
    return this.#io.queued(this.#stream);
  }

  /** Something is queued, or the kernel may have more than is left uncounted. */
  get mayHaveBacklog(): boolean {
    return this.queued > 0 || this.#sent - this.#received > UNCOUNTED_BYTES;
  }

  /** More is undelivered than the kernel may keep for a closed stream. */
  get hasBacklog(): boolean {
    return this.queued > 0 ||
      this.mayHaveBacklog && this.#io.inKernel(this.#stream) > UNCOUNTED_BYTES;
  }

  /** The rate is being measured. */
  get measuring(): boolean {
    return this.#sinceMs >= 0;
  }

  /** Counts bytes that are about to be sent. */
  send(length: number): void {
    this.#sent += length;
  }

  /** Updates what was received; returns the undelivered bytes in the kernel. */
  measure(): number {
    const inKernel = this.#io.inKernel(this.#stream);
    this.#received = this.#sent - this.queued - inKernel;
    return inKernel;
  }

  /** Starts measuring the rate, from the last `measure`. */
  start(nowMs: number): void {
    this.#sinceMs = nowMs;
    this.#receivedThen = this.#received;
  }

  /** Stops measuring the rate. */
  stop(): void {
    this.#sinceMs = -1;
  }

  /** When the rate is judged next: after `writeMs` of measuring. */
  nextMs(writeMs: number): number {
    return this.#sinceMs + writeMs;
  }

  /** Judges the rate if `writeMs` have passed, and starts again. */
  isSlow(nowMs: number, writeMs: number): boolean {
    if (nowMs < this.nextMs(writeMs)) return false;
    const slow = this.#received - this.#receivedThen < MIN_RATE * writeMs / 1000;
    this.start(nowMs);
    return slow;
  }
}
