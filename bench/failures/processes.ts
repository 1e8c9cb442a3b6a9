/** A process in a network namespace. */
export interface InsideProcess {
  readonly pid: number;
  /** Standard output so far. */
  readonly output: string;
  /** The beginning of standard error. */
  readonly complaints: string;
  /** Writes a line to standard input. */
  tell(line: string): Promise<void>;
  /** Resolves at exit, when `output` is complete. */
  readonly ended: Promise<Deno.CommandStatus>;
}

/** Options of a process. */
export interface StartOptions {
  namespace: string;
  command: readonly string[];
  /** Whether the output indicates readiness; default: at once. */
  ready?: (written: string) => boolean;
}

const READY_WITHIN_MS = 15_000;
const POLL_MS = 10;
/** Maximum length of `complaints`. */
const KEPT_CHARACTERS = 20_000;

/** Starts processes in namespaces, and ends them. */
export class Processes {
  readonly #running = new Set<Deno.ChildProcess>();

  /** Starts a process; throws with its output if it does not become ready. */
  async start({ namespace, command, ready }: StartOptions): Promise<InsideProcess> {
    // `ip netns exec` becomes the command and keeps the pid.
    const child = new Deno.Command("ip", {
      args: ["netns", "exec", namespace, ...command],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#running.add(child);
    let output = "";
    let complaints = "";
    let gone = false;
    const reading = Promise.all([
      child.stdout.pipeThrough(new TextDecoderStream()).pipeTo(
        new WritableStream({
          write(text) {
            output += text;
          },
        }),
      ),
      child.stderr.pipeThrough(new TextDecoderStream()).pipeTo(
        new WritableStream({
          write(text) {
            if (complaints.length < KEPT_CHARACTERS) complaints += text;
          },
        }),
      ),
    ]);
    const ended = child.status.then(async (status) => {
      gone = true;
      this.#running.delete(child);
      await reading;
      return status;
    });
    const input = child.stdin.getWriter();
    const limitMs = performance.now() + READY_WITHIN_MS;
    while (ready !== undefined && !ready(output + complaints)) {
      if (gone || performance.now() > limitMs) {
        const why = gone ? "it ended" : "it is not ready";
        throw new Error(`Cannot start "${command.join(" ")}": ${why}\n${output}${complaints}`);
      }
      await new Promise((wake) => setTimeout(wake, POLL_MS));
    }
    return {
      pid: child.pid,
      get output() {
        return output;
      },
      get complaints() {
        return complaints;
      },
      tell: (line) => input.write(new TextEncoder().encode(`${line}\n`)),
      ended,
    };
  }

  /** Kills remaining processes, stopped or not, without waiting. */
  kill(): void {
    for (const child of this.#running) {
      try {
        child.kill("SIGKILL");
      } catch {
        // Already ended.
      }
    }
  }

  /** Kills remaining processes and waits for them. */
  async end(): Promise<void> {
    const statuses = [...this.#running].map((child) => child.status);
    this.kill();
    await Promise.all(statuses);
  }
}
