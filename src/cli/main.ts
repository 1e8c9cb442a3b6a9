import { type CommandIo, runCommand } from "./command.ts";
import { processOutput } from "./output.ts";
import { SERVE } from "./serve/command.ts";

/** Runs the command that the arguments name, and returns the exit code. */
export async function runMain(
  args: readonly string[],
  { signals, exit }: Pick<CommandIo, "signals" | "exit">,
): Promise<number> {
  // The other commands are loaded only for them: serving is to start fast.
  const commands = async () => (await import("./commands.ts")).COMMANDS;
  const io: CommandIo = { output: processOutput, commands, signals, exit };
  const [name = "-", ...rest] = args;
  if (name.startsWith("-")) return await runCommand(SERVE, args, { io });
  const command = name === "" ? undefined : (await commands()).find((one) => one.name === name);
  if (command !== undefined) return await runCommand(command, rest, { io });
  const { unknownCommand } = await import("./shell/help.ts");
  const what = unknownCommand(name, await commands());
  processOutput.err(`nodens: ${what}\nRun "nodens -h" for help.\n`);
  return 2;
}
