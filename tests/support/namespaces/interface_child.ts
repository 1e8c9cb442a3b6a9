import type { EnsureResult } from "../../../src/node/interface/interface.ts";
import type { Said } from "./interface_script.ts";
import type { Namespace } from "./namespace.ts";

const SCRIPT = new URL("interface_script.ts", import.meta.url).pathname;
const WAIT_MS = 30_000;

export interface ChildOptions {
  name?: string;
  addresses: readonly string[];
  kernelKinds?: { dummy?: string; bridge?: string };
  /** A command that starts it with fewer rights. */
  through?: readonly string[];
}

/** A process with a NodeInterface in a network namespace. */
export class InterfaceChild {
  readonly log: string[] = [];
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<void>;
  readonly #values: Said[] = [];
  readonly #notices: (readonly string[])[] = [];
  #wake: () => void = () => {};
  #ended = false;

  /** Starts the process; the first command touches the interface. */
  constructor(namespace: Namespace, options: ChildOptions) {
    const { through = [], ...rest } = options;
    const deno = [Deno.execPath(), "run", "-A", "--quiet", "--unstable-net", SCRIPT];
    const text = JSON.stringify({ name: "nodens0", ...rest });
    this.#process = new Deno.Command("ip", {
      args: namespace.exec(...through, ...deno, text),
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    this.#reading = this.#read();
  }

  ensure(): Promise<EnsureResult> {
    return this.command("ensure") as Promise<EnsureResult>;
  }

  async command(command: string): Promise<unknown> {
    await this.#input.write(new TextEncoder().encode(`${command}\n`));
    const { error, value } = await this.#next(this.#values, command);
    if (error !== undefined) throw new Error(error);
    return value;
  }

  /** Changes made by `ensure` after the next notice. */
  notice(): Promise<readonly string[]> {
    return this.#next(this.#notices, "a notice");
  }

  /** Runs an action while the process is stopped. */
  suspended(action: () => void): void {
    this.#process.kill("SIGSTOP");
    try {
      action();
    } finally {
      this.#process.kill("SIGCONT");
    }
  }

  /** Ends the process; the interface stays. */
  async end(): Promise<void> {
    await this.#input.close().catch(() => {});
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), WAIT_MS);
    await this.#reading;
    await this.#process.status;
    clearTimeout(timer);
  }

  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.end();
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const chunk of this.#process.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        const said: Said = JSON.parse(line);
        if (said.log !== undefined) this.log.push(said.log);
        else if (said.notice !== undefined) this.#notices.push(said.notice);
        else this.#values.push(said);
      }
      this.#wake();
    }
    this.#ended = true;
    this.#wake();
  }

  async #next<T>(queue: T[], what: string): Promise<T> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#wake();
    }, WAIT_MS);
    try {
      for (;;) {
        if (queue.length > 0) return queue.shift()!;
        if (this.#ended || late) throw new Error(`Cannot wait for ${what}: none came`);
        await new Promise<void>((wake) => this.#wake = wake);
      }
    } finally {
      clearTimeout(timer);
    }
  }
}
