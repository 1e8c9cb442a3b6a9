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
}

/** Runs a command; null where there is no such executable. Handed in so that tests need none. */
export type RunCommand = (binary: string, options: CommandOptions) => Promise<CommandResult | null>;

/** Exit code given for a command that took too long, as timeout(1) has it. */
export const TIMED_OUT = 124;

/** Runs a command of this machine. */
export const runCommand: RunCommand = async (binary, { args, input, timeoutMs }) => {
  const signal = AbortSignal.timeout(timeoutMs);
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(binary, {
      args: [...args],
      stdin: input === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
      signal,
    }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    return { code: 126, stdout: "", stderr: `Cannot run "${binary}": ${(error as Error).message}` };
  }
  const writing = input === undefined ? null : write(child, input);
  const { code, stdout, stderr } = await child.output();
  await writing;
  const decoder = new TextDecoder();
  return {
    code: signal.aborted ? TIMED_OUT : code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
};

async function write(child: Deno.ChildProcess, text: string): Promise<void> {
  try {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch {
    // It ended without reading; its exit code and words say why.
  }
}
