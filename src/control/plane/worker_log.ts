import { COUNTER } from "../../engine/counters.ts";
import type { LogFields, LogLevel } from "../../engine/handler.ts";
import { exceptionText } from "../exceptions.ts";
import type { DataPlaneMessage, LogEntry } from "./messages.ts";

/** Further lines are dropped and counted. */
const MAX_LOG_BYTES = 1024 * 1024;

/** Log with one message per turn. */
export class WorkerLog {
  debug: boolean;
  readonly #values: Float64Array;
  readonly #post: (message: DataPlaneMessage) => void;
  #lines: LogEntry[] = [];
  #bytes = 0;
  #dropped = 0;

  constructor(values: Float64Array, post: (message: DataPlaneMessage) => void, debug: boolean) {
    this.#values = values;
    this.#post = post;
    this.debug = debug;
  }

  readonly log = (level: LogLevel, line: string, fields?: LogFields): void => {
    if (level === "debug" && !this.debug) return;
    if (this.#unreceived() + this.#bytes > MAX_LOG_BYTES) {
      this.#values[COUNTER.LOG_DROPPED]!++;
      this.#dropped++;
      return;
    }
    this.#lines.push({ level, line, fields });
    this.#bytes += fields === undefined ? line.length : 2 * line.length;
  };

  panic(error: unknown, wholeStack: boolean): void {
    const text = exceptionText(error, wholeStack);
    this.log("error", `Recovered from panic in the data plane: ${text}`);
  }

  flush(last = false): void {
    if (this.#dropped > 0 && (last || this.#unreceived() <= MAX_LOG_BYTES / 2)) {
      const line = `${this.#dropped} log lines were dropped: the control plane is too slow`;
      this.#lines.push({ level: "warning", line });
      this.#dropped = 0;
    }
    if (this.#lines.length === 0) return;
    this.#values[COUNTER.LOG_SENT]! += this.#bytes;
    this.#post({ type: "log", lines: this.#lines, bytes: this.#bytes, timeMs: Date.now() });
    this.#lines = [];
    this.#bytes = 0;
  }

  #unreceived(): number {
    return this.#values[COUNTER.LOG_SENT]! - this.#values[COUNTER.LOG_WRITTEN]!;
  }
}
