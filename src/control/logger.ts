import type { LogLevel } from "../engine/handler.ts";

const encoder = new TextEncoder();
/** Bytes that may wait for a slow standard output; more are dropped, and counted in a line. */
const MAX_QUEUED = 4 * 1024 * 1024;

/** Writes log lines to standard output without ever waiting for it. */
export class Logger {
  readonly #queue: Uint8Array[] = [];
  #queued = 0;
  #writing = false;
  #dropped = 0;

  /** Queues one line, in CoreDNS's form. */
  readonly log = (level: LogLevel, line: string): void => {
    this.write(`[${level.toUpperCase()}] ${line}\n`);
  };

  /** Queues text as it is. */
  write(text: string): void {
    const bytes = encoder.encode(text);
    if (this.#queued + bytes.length > MAX_QUEUED) {
      this.#dropped++;
      return;
    }
    this.#queue.push(bytes);
    this.#queued += bytes.length;
    if (!this.#writing) void this.#drain();
  }

  /** Resolves when all is written, or after `limitMs`. */
  async flush(limitMs: number): Promise<void> {
    const until = performance.now() + limitMs;
    while (this.#queued > 0 && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async #drain(): Promise<void> {
    this.#writing = true;
    try {
      for (let bytes = this.#queue.shift(); bytes !== undefined; bytes = this.#queue.shift()) {
        for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
        this.#queued -= bytes.length;
        if (this.#queue.length === 0 && this.#dropped > 0) {
          const count = this.#dropped;
          this.#dropped = 0;
          this.log("warning", `${count} log lines were dropped: standard output is too slow`);
        }
      }
    } catch {
      // The reader has gone: answers go on, nothing is left to write to.
      this.#queue.length = 0;
      this.#queued = 0;
    }
    this.#writing = false;
  }
}
