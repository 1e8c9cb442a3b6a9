import { didYouMean } from "../../corefile/nearest.ts";
import { type Command, commandHelp, helpText } from "../command.ts";
import { FlagError } from "../flags.ts";
import type { Output } from "../output.ts";

/** What `nodens -h` prints. */
export function mainHelp(commands: readonly Command[]): string {
  const serve = commands.find(({ name }) => name === "")!;
  const named = commands.filter(({ name }) => name !== "");
  const width = Math.max(...named.map(({ name }) => name.length));
  const lines = named.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    `Usage: nodens [FLAGS]                 ${serve.summary}`,
    "       nodens COMMAND [ARGUMENTS]",
    "",
    'Commands ("nodens help COMMAND" has their flags):',
    ...lines,
    "",
    "Flags, with one dash or two:",
    helpText(serve.flags),
    "",
  ].join("\n");
}

/** `nodens help [COMMAND]`. Returns 0. Throws `FlagError`. */
export function runHelp(
  args: readonly string[],
  output: Output,
  commands: readonly Command[],
): number {
  const [name = "", ...extra] = args;
  if (extra.length > 0) throw new FlagError(`"${extra[0]}" follows, but nothing is expected`);
  const command = commands.find((one) => one.name === name);
  if (command === undefined) throw new FlagError(unknownCommand(name, commands));
  output.out(name === "" ? mainHelp(commands) : commandHelp(command));
  return 0;
}

/** `unknown command "chekc" (did you mean "check"?)`, or the list if none is near. */
export function unknownCommand(name: string, commands: readonly Command[]): string {
  const names = commands.map((one) => one.name).filter((one) => one !== "");
  const hint = didYouMean(name, names) || ` (there are ${names.join(", ")})`;
  return `unknown command "${name}"${hint}`;
}
