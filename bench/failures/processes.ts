/** A process that runs in a network namespace. */
export interface InsideProcess {
  readonly pid: number;
  /** Its standard output so far. */
  readonly output: string;
  /** The beginning of what it has written to standard error. */
  readonly complaints: string;
  /** Writes a line to its standard input. */
  tell(line: string): Promise<void>;
  /** Settles when it has ended; `output` is whole then. */
  readonly ended: Promise<Deno.CommandStatus>;
}

/** How to start a process. */
export interface StartOptions {
  namespace: string;
  command: readonly string[];
  /** Says from what was written so far (both streams) that it is ready; at once without it. */
  ready?: (written: string) => boolean;
}

const READY_WITHIN_MS = 15_000;
const POLL_MS = 10;
/** Complaints that are kept to be shown. */
const KEPT_CHARACTERS = 20_000;

/** Starts processes in namespaces and ends those that it started. */
export class Processes {
  readonly #running = new Set<Deno.ChildProcess>();

  /** Starts a process; throws with its output if it does not become ready. */
  async start({ namespace, command, ready }: StartOptions): Promise<InsideProcess> {
    // `ip netns exec` becomes the command, so the pid is the command's own.
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

  /** Kills what still runs, stopped or not, without waiting. */
  kill(): void {
    for (const child of this.#running) {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended meanwhile.
      }
    }
  }

  /** Kills what still runs and waits until it is gone. */
  async end(): Promise<void> {
    const statuses = [...this.#running].map((child) => child.status);
    this.kill();
    await Promise.all(statuses);
  }
}
