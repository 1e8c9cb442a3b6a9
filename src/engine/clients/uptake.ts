import type { Io } from "../io.ts";
import { MIN_RATE, UNCOUNTED_BYTES } from "./stream_limits.ts";

/** How much of what is sent over a stream its client takes, and how fast. */
export class Uptake {
  readonly #io: Io;
  readonly #stream: number;
  /** Bytes handed over for sending, and how many of them the client is known to have taken. */
  #sent = 0;
  #taken = 0;
  /** When the measuring of the rate began, or -1 while it is not measured. */
  #sinceMs = -1;
  /** What the client had taken by then. */
  #takenThen = 0;

  constructor(io: Io, stream: number) {
    this.#io = io;
    this.#stream = stream;
  }

  /** Bytes that the driver has to queue. */
  get queued(): number {
    return this.#io.queued(this.#stream);
  }

  /** Something waits for the client, or may wait in the kernel beyond what is not counted. */
  get mayBeMuch(): boolean {
    return this.queued > 0 || this.#sent - this.#taken > UNCOUNTED_BYTES;
  }

  /** The client has not taken more than the kernel may keep for a stream that is closed. */
  get holdsMuch(): boolean {
    return this.queued > 0 ||
      this.mayBeMuch && this.#io.inKernel(this.#stream) > UNCOUNTED_BYTES;
  }

  /** The rate is being measured. */
  get measuring(): boolean {
    return this.#sinceMs >= 0;
  }

  /** Counts bytes that are handed over for sending. */
  send(length: number): void {
    this.#sent += length;
  }

  /** Asks what the client has taken. Returns the bytes that the kernel has for it. */
  measure(): number {
    const inKernel = this.#io.inKernel(this.#stream);
    this.#taken = this.#sent - this.queued - inKernel;
    return inKernel;
  }

  /** Starts to measure the rate, from the last `measure` on. */
  start(nowMs: number): void {
    this.#sinceMs = nowMs;
    this.#takenThen = this.#taken;
  }

  /** Ends measuring the rate. */
  stop(): void {
    this.#sinceMs = -1;
  }

  /** When the rate is judged next: after `writeMs` of measuring. */
  nextMs(writeMs: number): number {
    return this.#sinceMs + writeMs;
  }

  /** Judges the rate where it is time, and starts again. Returns whether it is too low. */
  isSlow(nowMs: number, writeMs: number): boolean {
    if (nowMs < this.nextMs(writeMs)) return false;
    const slow = this.#taken - this.#takenThen < MIN_RATE * writeMs / 1000;
    this.start(nowMs);
    return slow;
  }
}
