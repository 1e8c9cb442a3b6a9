/** Exit code if Deno does not know how a process ended. */
const UNKNOWN_CODE = 255;

/** A process of the stage, with its output and end. */
export class Child {
  readonly pid: number;
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array> | null;
  readonly #ended: Promise<number>;
  #output = "";
  #code: number | null = null;

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
    // Deno does not know real-time signals, and rejects after one.
    this.#ended = this.#process.status.then(({ code }) => code, () => UNKNOWN_CODE)
      .then(async (code) => {
        this.#code = code;
        await Promise.all(reading);
        return code;
      });
  }

  /** Output so far, both streams interleaved. */
  get output(): string {
    return this.#output;
  }

  /** Null while it runs; 128 plus the signal's number after a signal. */
  get code(): number | null {
    return this.#code;
  }

  async ready(ms = 10_000): Promise<void> {
    if (await this.until(() => /^ready$/m.test(this.#output), ms)) return;
    throw new Error(`Cannot go on: a part of the stage is not ready\n${this.#output}`);
  }

  /**
   * Waits until `done` returns true or the process has ended; returns the last result of `done`.
   */
  async until(done: () => boolean, ms: number): Promise<boolean> {
    const end = performance.now() + ms;
    while (!done() && this.#code === null && performance.now() < end) await sleep(10);
    return done();
  }

  async tell(line: string): Promise<void> {
    await this.#input?.write(new TextEncoder().encode(`${line}\n`));
  }

  async hangUp(): Promise<void> {
    await this.#input?.close();
  }

  async end(ms: number): Promise<number> {
    const timer = setTimeout(() => this.signal("SIGKILL"), ms);
    const code = await this.#ended;
    clearTimeout(timer);
    return code;
  }

  /** Waits for its end, and parses the JSON in its last line. */
  async result<T>(ms: number): Promise<T> {
    const code = await this.end(ms);
    const line = this.#output.trimEnd().split("\n").at(-1) ?? "";
    try {
      return JSON.parse(line);
    } catch {
      throw new Error(`Cannot read what a part of the stage found (code ${code})\n${this.#output}`);
    }
  }

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

export function sleep(ms: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, ms));
}
