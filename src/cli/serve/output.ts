import { systemClock } from "../../base/clock.ts";
import {
  inContainer,
  type LogTime,
  needsTime,
  readDescriptor,
} from "../../control/log/destination.ts";
import { type LogFormat, logLine, type LogTarget } from "../../control/log/log_line.ts";
import { Logger } from "../../control/log/logger.ts";
import { processOutput } from "../output.ts";

const LAST_WORDS_MS = 500;

/** Output while serving: log on stdout, faults on stderr. */
export class ServeOutput {
  readonly logger: Logger;
  readonly #errors: LogTarget;
  readonly #exit: (code: number) => never;

  constructor(log: LogTarget, errors: LogTarget, exit: (code: number) => never) {
    this.logger = new Logger(log);
    this.#errors = errors;
    this.#exit = exit;
  }

  static async open(
    { format, time }: { format: LogFormat; time: LogTime },
    exit: (code: number) => never,
  ): Promise<ServeOutput> {
    const container = inContainer({ env: (name) => Deno.env.get(name), exists });
    const target = async (descriptor: 1 | 2): Promise<LogTarget> => {
      const { journal, file } = await readDescriptor(descriptor);
      return { format, journal, time: needsTime(time, { journal, file, container }) };
    };
    return new ServeOutput(await target(1), await target(2), exit);
  }

  warn(text: string): void {
    processOutput.err(this.#lines("warning", text));
  }

  fail(text: string): void {
    const { format, journal } = this.#errors;
    const plain = format === "text" && !journal;
    processOutput.err(plain ? `${text}\n` : this.#lines("error", text));
  }

  /** Ends the process even if output blocks. */
  die(text: string, code: number): void {
    systemClock.after(LAST_WORDS_MS, () => this.#exit(code));
    this.fatal(text).finally(() => this.#exit(code));
  }

  async fatal(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(this.#lines("fatal", text));
    await Deno.stderr.write(bytes).catch(() => {});
  }

  #lines(level: "warning" | "error" | "fatal", text: string): string {
    const timeMs = systemClock.wall();
    return text.split("\n").map((line) => logLine({ level, line, timeMs }, this.#errors)).join("");
  }
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
