import { PATIENCE } from "../run/patience.ts";

/** A process under test. */
export interface TestProcess {
  readonly pid: number;
  /** Everything that it has written so far, both streams interleaved. */
  readonly output: string;
  /** Resolves when it has ended. */
  readonly ended: Promise<Deno.CommandStatus>;
  /** Sends SIGTERM, after five seconds SIGKILL; resolves when it has ended. */
  stop(): Promise<Deno.CommandStatus>;
}

/** How to start a process, and when it is ready. */
export interface ProcessOptions {
  args: string[];
  cwd?: string;
  env?: Record<string, string>;
  /** Called every 20 ms. */
  ready(output: string): boolean;
  readyWithinMs?: number;
}

/** Only a process that hangs takes this long. */
const READY_WITHIN_MS = 60_000 * PATIENCE;
const POLL_MS = 20;
const STOP_MS = 5_000 * PATIENCE;

/** Starts a process and waits until it is ready; if it fails, throws with its output. */
export async function startProcess(
  command: string,
  options: ProcessOptions,
): Promise<TestProcess> {
  const { ready, readyWithinMs = READY_WITHIN_MS, ...spawning } = options;
  const child = new Deno.Command(command, {
    ...{ ...spawning, stdin: "null", stdout: "piped", stderr: "piped" },
  }).spawn();
  let output = "";
  let gone = false;
  const reading = Promise.all(
    [child.stdout, child.stderr].map((stream) =>
      stream.pipeThrough(new TextDecoderStream()).pipeTo(
        new WritableStream({ write: (text) => void (output += text) }),
      )
    ),
  );
  const ended = child.status.then(async (status) => {
    gone = true;
    await reading;
    return status;
  });

  async function stop(): Promise<Deno.CommandStatus> {
    if (!gone) child.kill("SIGTERM");
    const timer = setTimeout(() => {
      if (!gone) child.kill("SIGKILL");
    }, STOP_MS);
    const status = await ended;
    clearTimeout(timer);
    return status;
  }

  const limitMs = performance.now() + readyWithinMs;
  while (!ready(output)) {
    if (gone || performance.now() > limitMs) {
      const why = gone ? "it ended" : "it is not ready";
      await stop();
      throw new Error(`Cannot start "${command} ${options.args.join(" ")}": ${why}\n${output}`);
    }
    await new Promise((wake) => setTimeout(wake, POLL_MS));
  }
  return {
    pid: child.pid,
    get output() {
      return output;
    },
    ended,
    stop,
  };
}
