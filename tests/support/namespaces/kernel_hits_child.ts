import type { KernelHitsStatus } from "../../../src/kernel/status.ts";
import { eventually } from "../run/eventually.ts";
import type { ScriptOptions } from "./kernel_hits_script.ts";
import type { Namespace } from "./namespace.ts";

const SCRIPT = new URL("kernel_hits_script.ts", import.meta.url).pathname;

/** Status of the process, its log, and what it told the data plane. */
export type ChildStatus = KernelHitsStatus & { log: string[]; opened: boolean[] };

/** A process with `KernelHits` in a network namespace. */
export class KernelHitsChild {
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #isKilled = false;

  /** `through`: a command that starts it with fewer rights. */
  constructor(namespace: Namespace, options: ScriptOptions, through: readonly string[] = []) {
    const deno = [Deno.execPath(), "run", "-A", "--quiet", "--unstable-net", SCRIPT];
    this.#process = new Deno.Command("ip", {
      args: namespace.exec(...through, ...deno, JSON.stringify(options)),
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    this.#lines = this.#process.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new LineStream()).getReader();
  }

  /** Runs a command of the script. */
  async call<T = void>(command: string): Promise<T> {
    await this.#input.write(new TextEncoder().encode(`${command}\n`));
    const { value } = await this.#lines.read();
    if (value === undefined) throw new Error(`Cannot run "${command}": the process has ended`);
    return JSON.parse(value);
  }

  status(): Promise<ChildStatus> {
    return this.call("status");
  }

  /** Waits until these interfaces have the program. */
  async serves(...names: string[]): Promise<ChildStatus> {
    let last: ChildStatus | null = null;
    return await eventually(async () => {
      last = await this.status();
      const found = last.interfaces.toSorted().join(" ");
      if (found !== names.toSorted().join(" ")) throw new Error(`it serves ${found || "nothing"}`);
      return last;
    }, () => JSON.stringify(last));
  }

  async kill(): Promise<void> {
    if (this.#isKilled) return;
    this.#isKilled = true;
    this.#process.kill("SIGKILL");
    await this.#process.status;
    await this.#lines.cancel();
    await this.#input.abort().catch(() => {});
  }
}

/** Splits text into lines. */
class LineStream extends TransformStream<string, string> {
  constructor() {
    let rest = "";
    super({
      transform(chunk, controller) {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop()!;
        for (const line of lines) controller.enqueue(line);
      },
    });
  }
}
