import type { LogFields, LogLevel } from "../../engine/handler.ts";
import { logLine, type LogMessage, type LogTarget } from "./log_line.ts";

const encoder = new TextEncoder();
/** Characters that may wait for a slow standard output; lines beyond are dropped, and counted. */
const MAX_QUEUED = 4 * 1024 * 1024;
/** Characters that are written at a time: what a pipe holds. */
const MAX_WRITE = 65_536;

/** What a logger writes to. */
export interface LogStream {
  write(bytes: Uint8Array): Promise<number>;
}

/** Writes log lines to standard output without ever waiting for it. */
export class Logger {
  /** Lines lost so far because standard output was too slow, or gone. */
  droppedLines = 0;
  readonly #target: LogTarget;
  readonly #stream: LogStream;
  readonly #queue: string[] = [];
  /** Characters in the queue and in the write under way. */
  #queued = 0;
  #writing = false;
  /** Lines dropped since that was told last. */
  #untold = 0;

  constructor(
    target: LogTarget = { format: "text", journal: false, time: false },
    stream: LogStream = Deno.stdout,
  ) {
    this.#target = target;
    this.#stream = stream;
  }

  /** Queues one message; `timeMs` is when it was made, in milliseconds since 1970. */
  readonly log = (level: LogLevel, line: string, fields?: LogFields, timeMs = Date.now()): void => {
    this.#write(logLine({ level, line, fields, timeMs }, this.#target));
  };

  /** Queues lines that have no level; where only messages fit, `line` with `fields` instead. */
  print(lines: readonly string[], line: string, fields: LogMessage["fields"]): void {
    const { format, journal } = this.#target;
    const message: LogMessage = { level: "info", line, fields, timeMs: Date.now() };
    if (format === "json") this.#write(logLine(message, this.#target));
    else if (journal) lines.forEach((one) => this.log("info", one));
    else this.#write(lines.map((one) => `${one}\n`).join(""));
  }

  /** Resolves when all is written, or after `limitMs`. */
  async flush(limitMs: number): Promise<void> {
    const until = performance.now() + limitMs;
    while (this.#queued > 0 && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  #write(text: string): void {
    if (this.#queued + text.length > MAX_QUEUED) {
      this.droppedLines++;
      this.#untold++;
      return;
    }
    this.#queue.push(text);
    this.#queued += text.length;
    if (this.#writing) return;
    this.#writing = true;
    // Whatever else is logged in this turn is written at one go.
    queueMicrotask(() => void this.#drain());
  }

  async #drain(): Promise<void> {
    let count = 0;
    try {
      while (this.#queue.length > 0) {
        count = this.#countNext();
        const text = this.#queue.splice(0, count).join("");
        const bytes = encoder.encode(text);
        for (let at = 0; at < bytes.length;) at += await this.#stream.write(bytes.subarray(at));
        this.#queued -= text.length;
        this.#tellDrops();
      }
    } catch {
      // The reader has gone: answers go on, nothing is left to write to.
      this.droppedLines += count + this.#queue.length;
      this.#queue.length = 0;
      this.#queued = 0;
    }
    this.#writing = false;
  }

  /** How many lines are written next. */
  #countNext(): number {
    let length = 0;
    let count = 0;
    while (count < this.#queue.length && length < MAX_WRITE) length += this.#queue[count++]!.length;
    return count;
  }

  /** Says how many lines were dropped, once half the queue is free again: not over and over. */
  #tellDrops(): void {
    if (this.#untold === 0 || this.#queued > MAX_QUEUED / 2) return;
    const count = this.#untold;
    this.#untold = 0;
    this.log("warning", `${count} log lines were dropped: standard output is too slow`);
  }
}
