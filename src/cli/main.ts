import { type CommandIo, dispatchCommand, unknownWord } from "./command.ts";
import { processOutput } from "./output.ts";
import { SERVE } from "./serve/command.ts";

/** Runs a command; returns the exit code. */
export async function runMain(
  args: readonly string[],
  { signals, exit }: Pick<CommandIo, "signals" | "exit">,
): Promise<number> {
  const load = async () => await import("./commands.ts");
  const commands = async () => (await load()).COMMANDS;
  const io: CommandIo = { output: processOutput, commands, signals, exit };
  const [name = "-", ...rest] = args;
  if (name.startsWith("-")) return await dispatchCommand(SERVE, args, { io });
  const { COMMANDS: [, ...named], COMPLETE } = await load();
  const command = [...named, COMPLETE].find((one) => one.name === name);
  if (command !== undefined) return await dispatchCommand(command, rest, { io });
  const what = unknownWord("command", name, named.map((one) => one.name));
  processOutput.err(`nodens: ${what}\nRun "nodens -h" for help.\n`);
  return 2;
}
