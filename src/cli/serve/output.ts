import { type Clock, systemClock } from "../../base/clock.ts";
import { readDescriptor } from "../../control/log/journal.ts";
import { type LogFormat, logLine, type LogTarget } from "../../control/log/log_line.ts";
import { inContainer, type LogOptions, needsTime } from "../../control/log/log_time.ts";
import { Logger } from "../../control/log/logger.ts";
import { processOutput } from "../output.ts";

const LAST_WORDS_MS = 500;

/** Output while serving: log on stdout, faults on stderr. */
export class ServeOutput {
  readonly logger: Logger;
  readonly format: LogFormat;
  readonly #errors: LogTarget;
  readonly #exit: (code: number) => never;
  readonly #clock: Clock;

  constructor(
    targets: { log: LogTarget; errors: LogTarget },
    exit: (code: number) => never,
    clock: Clock = systemClock,
  ) {
    this.logger = new Logger(targets.log);
    this.format = targets.log.format;
    this.#errors = targets.errors;
    this.#exit = exit;
    this.#clock = clock;
  }

  static async open(
    { format, time }: LogOptions,
    exit: (code: number) => never,
  ): Promise<ServeOutput> {
    const container = inContainer({ env: (name) => Deno.env.get(name), exists });
    const target = async (descriptor: 1 | 2): Promise<LogTarget> => {
      const { journal, file } = await readDescriptor(descriptor);
      return { format, journal, time: needsTime(time, { journal, file, container }) };
    };
    return new ServeOutput({ log: await target(1), errors: await target(2) }, exit);
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
    this.#clock.after(LAST_WORDS_MS, () => this.#exit(code));
    this.fatal(text).finally(() => this.#exit(code));
  }

  async fatal(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(this.#lines("fatal", text));
    await Deno.stderr.write(bytes).catch(() => {});
  }

  #lines(level: "warning" | "error" | "fatal", text: string): string {
    const timeMs = this.#clock.wall();
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
