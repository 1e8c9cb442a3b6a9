import { probe } from "./probe.ts";

const CORES = {
  server: "0",
  /** Everything else. */
  load: "1",
  all: `0-${navigator.hardwareConcurrency - 1}`,
};
const STOP_MS = 5_000;

/** A running server process that has answered. */
export interface RunningServer {
  readonly pid: number;
  /** From spawn to the first correct answer over UDP. */
  readonly firstAnswerMs: number;
  /** Sends SIGTERM, then SIGKILL, and waits for the end. */
  stop(): Promise<void>;
}

/** Whether an executable exists, by path or in PATH. */
export function installed(binary: string): boolean {
  const candidates = binary.includes("/")
    ? [binary]
    : (Deno.env.get("PATH") ?? "").split(":").map((folder) => `${folder}/${binary}`);
  return candidates.some((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

/** Whether processes can be pinned. */
export const canPin: boolean = installed("taskset") && navigator.hardwareConcurrency >= 2;

/** Pins this program and its children away from the servers' core. */
export function pinSelf(): void {
  if (!canPin) return;
  new Deno.Command("taskset", { args: ["-a", "-c", "-p", CORES.load, String(Deno.pid)] })
    .outputSync();
}

/** Starts a server on a core or on all, and waits for an answer. */
export async function startServer(
  command: readonly string[],
  options: { port: number; core: keyof typeof CORES },
): Promise<RunningServer> {
  const words = canPin ? ["taskset", "-c", CORES[options.core], ...command] : [...command];
  const startedMs = performance.now();
  const child = new Deno.Command(words[0]!, {
    args: words.slice(1),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let complaints = "";
  const reading = child.stderr.pipeThrough(new TextDecoderStream()).pipeTo(
    new WritableStream({
      write(text) {
        if (complaints.length < 4_000) complaints += text;
      },
    }),
  );
  let gone = false;
  const ended = child.status.then(() => gone = true);

  async function stop(): Promise<void> {
    if (!gone) {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
      await ended;
      clearTimeout(timer);
    }
    await reading;
  }

  const answeredMs = await probe(options.port, () => gone);
  if (answeredMs === null) {
    await stop();
    throw new Error(`Cannot start "${command.join(" ")}": no answer\n${complaints}`);
  }
  return { pid: child.pid, firstAnswerMs: answeredMs - startedMs, stop };
}
