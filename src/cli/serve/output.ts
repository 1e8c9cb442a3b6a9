import { readDescriptor } from "../../control/log/journal.ts";
import { type LogFormat, logLine, type LogTarget } from "../../control/log/log_line.ts";
import { inContainer, type LogOptions, needsTime } from "../../control/log/log_time.ts";
import { Logger } from "../../control/log/logger.ts";
import { processOutput } from "../output.ts";

/** How long the last words may take where standard error is not read. */
const LAST_WORDS_MS = 500;

/** What a serving nodens says: the log on standard output, faults on standard error. */
export class ServeOutput {
  readonly logger: Logger;
  readonly format: LogFormat;
  readonly #errors: LogTarget;
  readonly #exit: (code: number) => never;

  constructor(log: LogTarget, errors: LogTarget, exit: (code: number) => never) {
    this.logger = new Logger(log);
    this.format = log.format;
    this.#errors = errors;
    this.#exit = exit;
  }

  /**
   * Finds out where the two outputs lead.
   *
   * @param exit - ends the process
   */
  static async open(
    { format, time }: LogOptions,
    exit: (code: number) => never,
  ): Promise<ServeOutput> {
    const container = inContainer({ env: (name) => Deno.env.get(name), exists });
    const target = async (descriptor: 1 | 2): Promise<LogTarget> => {
      const { journal, file } = await readDescriptor(descriptor);
      return { format, journal, time: needsTime(time, { journal, file, container }) };
    };
    return new ServeOutput(await target(1), await target(2), exit);
  }

  /** Says something to the operator before the log begins. */
  warn(text: string): void {
    processOutput.err(this.#lines("warning", text));
  }

  /** Says why nodens does not serve; one fault a line. */
  fail(text: string): void {
    const { format, journal } = this.#errors;
    const plain = format === "text" && !journal;
    processOutput.err(plain ? `${text}\n` : this.#lines("error", text));
  }

  /** Says why the process ends now, and ends it, whether anybody reads that or not. */
  die(text: string, code: number): void {
    setTimeout(() => this.#exit(code), LAST_WORDS_MS);
    this.fatal(text).finally(() => this.#exit(code));
  }

  /** Says why the process is about to end; waits for nobody to read that. */
  async fatal(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(this.#lines("fatal", text));
    await Deno.stderr.write(bytes).catch(() => {});
  }

  #lines(level: "warning" | "error" | "fatal", text: string): string {
    const timeMs = Date.now();
    return text.split("\n").map((line) => logLine({ level, line, timeMs }, this.#errors)).join("");
  }
}

/** Whether there is such a file, as far as this process may see. */
function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
