/** Exit code where Deno cannot say what ended a process. */
const UNKNOWN_CODE = 255;

/** A process of the stage, what it writes, and how it ends. */
export class Child {
  readonly pid: number;
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array> | null;
  readonly #ended: Promise<number>;
  #output = "";
  #code: number | null = null;

  /** Starts it; standard input is a pipe where `input` is set. */
  constructor(command: readonly string[], options: { input?: boolean } = {}) {
    const [program = "", ...args] = command;
    this.#process = new Deno.Command(program, {
      args,
      stdin: options.input === true ? "piped" : "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.pid = this.#process.pid;
    this.#input = options.input === true ? this.#process.stdin.getWriter() : null;
    const reading = [this.#process.stdout, this.#process.stderr].map((stream) =>
      stream.pipeThrough(new TextDecoderStream()).pipeTo(
        new WritableStream({ write: (text) => void (this.#output += text) }),
      )
    );
    // Deno knows no real-time signals, and rejects if one ended the process.
    this.#ended = this.#process.status.then(({ code }) => code, () => UNKNOWN_CODE)
      .then(async (code) => {
        this.#code = code;
        await Promise.all(reading);
        return code;
      });
  }

  /** Everything written so far, both streams mixed as they came. */
  get output(): string {
    return this.#output;
  }

  /** Exit code; null while it runs. 128 plus the signal's number if a signal ended it. */
  get code(): number | null {
    return this.#code;
  }

  /** Waits for a line "ready". */
  async ready(ms = 10_000): Promise<void> {
    if (await this.until(() => /^ready$/m.test(this.#output), ms)) return;
    throw new Error(`Cannot go on: a part of the stage is not ready\n${this.#output}`);
  }

  /** Waits until `done` holds or it has ended; returns whether `done` holds. */
  async until(done: () => boolean, ms: number): Promise<boolean> {
    const end = performance.now() + ms;
    while (!done() && this.#code === null && performance.now() < end) await sleep(10);
    return done();
  }

  /** Writes a line to its standard input. */
  async tell(line: string): Promise<void> {
    await this.#input?.write(new TextEncoder().encode(`${line}\n`));
  }

  /** Ends its standard input. */
  async hangUp(): Promise<void> {
    await this.#input?.close();
  }

  /** Waits for its end; kills it after `ms`. Resolves with its exit code. */
  async end(ms: number): Promise<number> {
    const timer = setTimeout(() => this.signal("SIGKILL"), ms);
    const code = await this.#ended;
    clearTimeout(timer);
    return code;
  }

  /** Waits for its end, and reads the JSON of its last line. */
  async result<T>(ms: number): Promise<T> {
    const code = await this.end(ms);
    const line = this.#output.trimEnd().split("\n").at(-1) ?? "";
    try {
      return JSON.parse(line);
    } catch {
      throw new Error(`Cannot read what a part of the stage found (code ${code})\n${this.#output}`);
    }
  }

  /** Sends a signal; false if it has ended. */
  signal(signal: Deno.Signal): boolean {
    if (this.#code !== null) return false;
    try {
      this.#process.kill(signal);
      return true;
    } catch {
      return false;
    }
  }
}

/** Waits. */
export function sleep(ms: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, ms));
}
