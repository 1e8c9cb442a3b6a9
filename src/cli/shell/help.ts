import { type Call, type Command, commandHelp, type CommandIo, helpText } from "../command.ts";

/** `nodens help [COMMAND]`. */
export async function run(
  { rest: [name] }: Call,
  { output, commands: load }: CommandIo,
): Promise<number> {
  const commands = await load();
  const command = commands.find((one) => one.name === name);
  output.out(command === undefined ? mainHelp(commands) : commandHelp(command));
  return 0;
}

/** Output of `nodens -h`. */
export function mainHelp([serve, ...named]: readonly Command[]): string {
  const width = Math.max(...named.map(({ name }) => name.length));
  return [
    `Usage: nodens [FLAGS]                 ${serve!.summary}`,
    "       nodens COMMAND [ARGUMENTS]",
    "",
    'Commands ("nodens help COMMAND" has their flags):',
    ...named.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    "",
    "Flags, with one dash or two:",
    helpText(serve!.flags),
    "",
  ].join("\n");
}
