import { doneWithin } from "../../base/deadline.ts";

/** What a command did. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One command to run. */
export interface CommandOptions {
  readonly args: readonly string[];
  /** What it reads from its standard input; default: nothing. */
  readonly input?: string;
  /** It is killed after this time. */
  readonly timeoutMs: number;
  /** Kills it early. */
  readonly signal?: AbortSignal;
}

/** Runs a command; null if there is no such executable. Handed in so that tests need none. */
export type RunCommand = (binary: string, options: CommandOptions) => Promise<CommandResult | null>;

/** Exit code given for a command that was killed because it took too long, as timeout(1) has it. */
export const TIMED_OUT = 124;
/** Exit code given for a command that could not be started, as shells have it. */
const NOT_STARTED = 126;
/**
 * Most octets taken of either output. iptables-save prints some 150 octets a rule, so this is over
 * 200,000 rules; kube-proxy has 50,000 at 5,000 services.
 */
const MAX_OUTPUT_BYTES = 32 * 1024 * 1024;
/** Time after its end for what a command has written to arrive: a full pipe holds 64 KiB. */
const LAST_OUTPUT_MS = 500;
/** Time after SIGKILL for the command to be gone: only one that is stuck in the kernel needs more. */
const KILL_MS = 500;

/**
 * Runs a command of this machine. It always comes back: soon after `timeoutMs`, or after `signal`,
 * even if the command cannot be killed, or left a child that holds its pipes open.
 *
 * The command leads a process group of its own, which is killed as a whole.
 */
export const runCommand: RunCommand = async (binary, { args, input, timeoutMs, signal }) => {
  if (signal?.aborted) return { code: TIMED_OUT, stdout: "", stderr: "" };
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(binary, {
      args: [...args],
      stdin: input === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
      detached: true,
    }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    const why = (error as Error).message;
    return { code: NOT_STARTED, stdout: "", stderr: `Cannot run "${binary}": ${why}` };
  }
  const outputs = [new Output(child.stdout), new Output(child.stderr)] as const;
  const writing = input === undefined ? null : write(child, input);
  const finished = Promise.all([...outputs.map(({ ended }) => ended), writing]);
  const tooMuch = Promise.race(outputs.map(({ overflowed }) => overflowed));
  const stop = Promise.withResolvers<null>();
  const onAbort = () => stop.resolve(null);
  signal?.addEventListener("abort", onAbort);
  const timer = setTimeout(onAbort, timeoutMs);
  const status = await Promise.race([child.status, tooMuch, stop.promise]);
  clearTimeout(timer);
  signal?.removeEventListener("abort", onAbort);
  let isWhole = false;
  if (status === null || typeof status === "string") {
    killGroup(child.pid);
    await doneWithin(child.status, KILL_MS);
  } else {
    isWhole = await doneWithin(finished, LAST_OUTPUT_MS);
    // A child that the command has left behind holds them open.
    if (!isWhole) killGroup(child.pid);
  }
  const [stdout, stderr] = outputs.map((output) => output.take()) as [string, string];
  if (status === null) return { code: TIMED_OUT, stdout, stderr };
  if (typeof status === "string") return { code: NOT_STARTED, stdout: "", stderr: status };
  return { code: status.code, stdout, stderr };
};

/** One output of a command, read as it comes. */
class Output {
  /** Settles at its end, or once nothing more is read. */
  readonly ended: Promise<void>;
  /** Settles when there is more than may be kept; says so. */
  readonly overflowed: Promise<string>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  #chunks: Uint8Array<ArrayBuffer>[] = [];

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.overflowed = promise;
    this.#reader = stream.getReader();
    this.ended = this.#read(() => resolve(`it printed more than ${MAX_OUTPUT_BYTES} octets`));
  }

  /** Ends reading; what has come so far. */
  take(): string {
    // Settles only when the pipe is closed, which is not waited for.
    this.#reader.cancel().catch(() => {});
    const decoder = new TextDecoder();
    const chunks = this.#chunks;
    this.#chunks = [];
    return chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("") +
      decoder.decode();
  }

  async #read(onOverflow: () => void): Promise<void> {
    let length = 0;
    try {
      for (;;) {
        const { value, done } = await this.#reader.read();
        if (done) return;
        length += value.length;
        if (length > MAX_OUTPUT_BYTES) return onOverflow();
        this.#chunks.push(value);
      }
    } catch {
      // The pipe is gone; the exit code says the rest.
    }
  }
}

async function write(child: Deno.ChildProcess, text: string): Promise<void> {
  try {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch {
    // It ended without reading; its exit code and words say why.
  }
}

/** Kills a process with all that it has started, as far as those have not left its group. */
function killGroup(pid: number): void {
  try {
    Deno.kill(-pid, "SIGKILL");
  } catch {
    // All of it has ended meanwhile.
  }
}
