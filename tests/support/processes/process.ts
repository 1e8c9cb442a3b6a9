import { PATIENCE } from "../run/patience.ts";

export interface TestProcess {
  readonly pid: number;
  readonly output: string;
  readonly ended: Promise<Deno.CommandStatus>;
  /** Sends SIGTERM, after five seconds SIGKILL; resolves at its end. */
  stop(): Promise<Deno.CommandStatus>;
}

/** Options of `startProcess`. */
export interface ProcessOptions {
  args: string[];
  cwd?: string;
  env?: Record<string, string>;
  ready(output: string): boolean;
  readyWithinMs?: number;
}

/** Only a hang takes this long. */
const READY_WITHIN_MS = 60_000 * PATIENCE;
const POLL_MS = 20;
const STOP_MS = 5_000 * PATIENCE;

/** Starts a process and waits until it is ready; throws its output on failure. */
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
