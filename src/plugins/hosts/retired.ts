import type { Timer, Timers } from "../../engine/timers.ts";
import { releaseBuffer } from "../../base/transfer.ts";

/** Released at once: 0.15 ms; 23 MiB took 4 ms (`bench/hosts.ts`). */
const STEP_BYTES = 2 ** 20;
const PAUSE_MS = 1;

/** Releases retired tables in steps, so that no query waits. */
export class RetiredTables {
  readonly #timers: Timers;
  readonly #timer: Timer;
  readonly #buffers: ArrayBuffer[] = [];

  constructor(timers: Timers) {
    this.#timers = timers;
    this.#timer = timers.create((nowMs) => this.#step(nowMs));
  }

  /** The table can still be searched, but nothing is found. */
  add(buffer: ArrayBuffer, nowMs: number): void {
    this.#buffers.push(buffer);
    if (this.#buffers.length === 1) this.#step(nowMs);
  }

  #step(nowMs: number): void {
    const [buffer] = this.#buffers;
    if (buffer === undefined) return;
    // The end goes first: without their slots, entries are not found.
    const left = buffer.byteLength - STEP_BYTES;
    if (buffer.resizable && left > 0) {
      buffer.resize(left);
    } else {
      releaseBuffer(buffer);
      this.#buffers.shift();
    }
    if (this.#buffers.length > 0) this.#timers.set(this.#timer, nowMs + PAUSE_MS);
  }
}
