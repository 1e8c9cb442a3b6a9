import { doneWithin } from "../../base/deadline.ts";

/** Result of a command. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Options of a command. */
export interface CommandOptions {
  readonly args: readonly string[];
  readonly input?: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Runs a command; null if the executable is missing. */
export type RunCommand = (binary: string, options: CommandOptions) => Promise<CommandResult | null>;

/** timeout(1)'s exit code for a killed command. */
export const TIMED_OUT = 124;
/** The shells' exit code. */
const NOT_STARTED = 126;
/** 200,000 rules of 150 octets; kube-proxy has 50,000 for 5,000 services. */
const MAX_OUTPUT_BYTES = 32 * 1024 * 1024;
/** To drain a full pipe (64 KiB). */
const LAST_OUTPUT_MS = 500;
/** Only commands stuck in the kernel last longer after SIGKILL. */
const KILL_MS = 500;

/**
 * Runs a command in its own process group. Returns soon after `timeoutMs` or `signal`, even if it
 * is unkillable or a child holds its pipes.
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
  const killed = Promise.withResolvers<"timeout" | "overflow">();
  const onTimeout = () => killed.resolve("timeout");
  const outputs = [child.stdout, child.stderr]
    .map((stream) => collect(stream, () => killed.resolve("overflow")));
  const writing = input === undefined ? null : ReadableStream
    .from([new TextEncoder().encode(input)]).pipeTo(child.stdin).catch(() => {});
  const finished = Promise.all([...outputs.map(({ ended }) => ended), writing]);
  signal?.addEventListener("abort", onTimeout);
  const timer = setTimeout(onTimeout, timeoutMs);
  const outcome = await Promise.race([child.status, killed.promise]);
  clearTimeout(timer);
  signal?.removeEventListener("abort", onTimeout);
  if (typeof outcome === "string") {
    killGroup(child.pid);
    await doneWithin(child.status, KILL_MS);
  } else if (!await doneWithin(finished, LAST_OUTPUT_MS)) {
    killGroup(child.pid);
  }
  const [stdout = "", stderr = ""] = outputs.map((output) => output.take());
  if (outcome === "timeout") return { code: TIMED_OUT, stdout, stderr };
  if (outcome === "overflow") {
    const why = `it printed more than ${MAX_OUTPUT_BYTES} octets`;
    return { code: NOT_STARTED, stdout: "", stderr: why };
  }
  return { code: outcome.code, stdout, stderr };
};

/** `take` stops and returns the output. */
function collect(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  onOverflow: () => void,
): { ended: Promise<void>; take: () => string } {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  const read = async () => {
    let length = 0;
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      length += value.length;
      if (length > MAX_OUTPUT_BYTES) return onOverflow();
      text += decoder.decode(value, { stream: true });
    }
  };
  return {
    ended: read().catch(() => {}),
    take() {
      reader.cancel().catch(() => {});
      return text + decoder.decode();
    },
  };
}

function killGroup(pid: number): void {
  try {
    Deno.kill(-pid, "SIGKILL");
  } catch {
    // The whole group has ended.
  }
}
