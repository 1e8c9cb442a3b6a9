import { type Clock, systemClock } from "../../base/clock.ts";
import type { LogFields, LogLevel } from "../../engine/handler.ts";
import { logLine, type LogMessage, type LogTarget } from "./log_line.ts";

const encoder = new TextEncoder();
/** In characters; further lines are dropped and counted. */
const MAX_QUEUED = 4 * 1024 * 1024;
/** In characters: the capacity of a pipe. */
const MAX_WRITE = 65_536;

/** Output of a logger. */
export type LogStream = Pick<typeof Deno.stdout, "write">;

/** Non-blocking log to standard output. */
export class Logger {
  droppedLines = 0;
  readonly #target: LogTarget;
  readonly #stream: LogStream;
  readonly #clock: Clock;
  readonly #queue: string[] = [];
  #queued = 0;
  #idle = true;
  #unreported = 0;

  constructor(
    target: LogTarget = { format: "text", journal: false, time: false },
    stream: LogStream = Deno.stdout,
    clock: Clock = systemClock,
  ) {
    this.#target = target;
    this.#stream = stream;
    this.#clock = clock;
  }

  readonly log = (
    level: LogLevel,
    line: string,
    fields?: LogFields,
    timeMs = this.#clock.wall(),
  ): void => this.#write(logLine({ level, line, fields, timeMs }, this.#target));

  /** Queues lines without a level; in JSON, `line` with `fields`. */
  print(lines: readonly string[], line: string, fields: LogMessage["fields"]): void {
    const { format, journal } = this.#target;
    const message: LogMessage = { level: "info", line, fields, timeMs: this.#clock.wall() };
    if (format === "json") this.#write(logLine(message, this.#target));
    else if (journal) lines.forEach((one) => this.log("info", one));
    else this.#write(lines.map((one) => `${one}\n`).join(""));
  }

  async flush(limitMs: number): Promise<void> {
    const endMs = this.#clock.now() + limitMs;
    while (this.#queued > 0 && this.#clock.now() < endMs) await this.#clock.sleep(5);
  }

  #write(text: string): void {
    if (this.#queued + text.length > MAX_QUEUED) {
      this.droppedLines++;
      this.#unreported++;
      return;
    }
    this.#queue.push(text);
    this.#queued += text.length;
    if (!this.#idle) return;
    this.#idle = false;
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
        this.#reportDrops();
      }
    } catch {
      // Closed standard output must not end serving.
      this.droppedLines += count + this.#queue.length;
      this.#queue.length = 0;
      this.#queued = 0;
    }
    this.#idle = true;
  }

  #countNext(): number {
    let length = 0;
    let count = 0;
    while (count < this.#queue.length && length < MAX_WRITE) length += this.#queue[count++]!.length;
    return count;
  }

  #reportDrops(): void {
    if (this.#unreported === 0 || this.#queued > MAX_QUEUED / 2) return;
    const count = this.#unreported;
    this.#unreported = 0;
    this.log("warning", `${count} log lines were dropped: standard output is too slow`);
  }
}
