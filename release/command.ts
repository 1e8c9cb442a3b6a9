/** A command's output with its end. */
export interface CommandResult {
  readonly ok: boolean;
  /** Both streams, standard output first. */
  readonly text: string;
  readonly stdout: string;
}

/** Runs a command to its end; throws only where it cannot be started. */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<CommandResult> {
  const child = new Deno.Command(command, { args: [...args], ...options, stdin: "null" });
  let output: Deno.CommandOutput;
  try {
    output = await child.output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(`Cannot run "${command}": it is not installed`);
  }
  const { success, stdout, stderr } = output;
  const decoder = new TextDecoder();
  const out = decoder.decode(stdout);
  return { ok: success, text: out + decoder.decode(stderr), stdout: out };
}

/** Like `runCommand`, but throws with the command's own words where it fails; gives standard output. */
export async function mustRun(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<string> {
  const { ok, text, stdout } = await runCommand(command, args, options);
  if (ok) return stdout;
  throw new Error(`Cannot run "${command} ${args.join(" ")}":\n${text.trim()}`);
}

/** Writes a line to standard output. */
export function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}
