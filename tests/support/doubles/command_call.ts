import { type Command, type CommandIo, type Run, runCommand } from "../../../src/cli/command.ts";
import { COMMANDS } from "../../../src/cli/commands.ts";
import type { Output } from "../../../src/cli/output.ts";

/** What a command printed, and its exit code. */
export interface Called {
  code: number;
  out: string;
  err: string;
}

/**
 * Runs a command as main.ts does.
 *
 * @param run - takes the place of what the command loads
 */
export async function callCommand(
  command: Command,
  args: readonly string[],
  run?: (args: readonly string[], output: Output) => ReturnType<Run>,
): Promise<Called> {
  const called = { code: 0, out: "", err: "" };
  const io: CommandIo = {
    output: { out: (text) => called.out += text, err: (text) => called.err += text },
    commands: () => Promise.resolve(COMMANDS),
    signals: null,
    exit: (code) => {
      throw new Error(`exit ${code}`);
    },
  };
  const load = run && (() => Promise.resolve<Run>((args, { output }) => run(args, output)));
  called.code = await runCommand(command, args, { io, ...load && { load } });
  return called;
}
