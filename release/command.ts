export interface CommandResult {
  readonly ok: boolean;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly text: string;
}

interface CommandOptions {
  cwd?: string;
  env?: Record<string, string>;
  signal?: AbortSignal;
}

export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const child = new Deno.Command(command, { args: [...args], ...options, stdin: "null" });
  try {
    const output = await child.output();
    const [stdout, stderr] = [output.stdout, output.stderr].map((bytes) =>
      new TextDecoder().decode(bytes)
    ) as [string, string];
    return { ok: output.success, code: output.code, stdout, stderr, text: stdout + stderr };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(`Cannot run "${command}": it is not installed`);
  }
}

/** Runs a command and returns its standard output. Throws an error with all output. */
export async function mustRun(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { ok, text, stdout } = await runCommand(command, args, options);
  if (ok) return stdout;
  throw new Error(`Cannot run "${command} ${args.join(" ")}":\n${text.trim()}`);
}

export function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}
