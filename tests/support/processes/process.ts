import { PATIENCE } from "../run/patience.ts";

/** A process under test. */
export interface TestProcess {
  readonly pid: number;
  /** Everything that it has written so far, both streams mixed as they came. */
  readonly output: string;
  /** Settles when it has ended, by itself or by `stop`. */
  readonly ended: Promise<Deno.CommandStatus>;
  /** Sends SIGTERM, after five seconds SIGKILL, and waits for the end. */
  stop(): Promise<Deno.CommandStatus>;
}

/** How to start a process and to see that it is ready. */
export interface ProcessOptions {
  args: string[];
  cwd?: string;
  env?: Record<string, string>;
  /** Looked at whenever something was written, and every 20 ms. */
  ready(output: string): boolean;
  /** Default: a minute. */
  readyWithinMs?: number;
}

/** Only what hangs takes this long. */
const READY_WITHIN_MS = 60_000 * PATIENCE;
const POLL_MS = 20;
const STOP_MS = 5_000 * PATIENCE;

/** Starts a process and waits until it is ready; throws with its output where it does not come up. */
export async function startProcess(
  command: string,
  options: ProcessOptions,
): Promise<TestProcess> {
  const child = new Deno.Command(command, {
    args: options.args,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let output = "";
  let gone = false;
  const reading = Promise.all(
    [child.stdout, child.stderr].map((stream) =>
      stream.pipeThrough(new TextDecoderStream()).pipeTo(
        new WritableStream({
          write(text) {
            output += text;
          },
        }),
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

  const limitMs = performance.now() + (options.readyWithinMs ?? READY_WITHIN_MS);
  while (!options.ready(output)) {
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
