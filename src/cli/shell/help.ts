import { didYouMean } from "../../corefile/nearest.ts";
import { commandHelp, helpText, usageText } from "../command.ts";
import { COMMANDS, HELP } from "../commands.ts";
import type { Output } from "../output.ts";
import { SERVE } from "../serve/flags.ts";

/** What `nodens -h` prints. */
export function mainHelp(): string {
  const named = COMMANDS.filter(({ name }) => name !== "");
  const width = Math.max(...named.map(({ name }) => name.length));
  const lines = named.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    `Usage: nodens [FLAGS]                 ${SERVE.summary}`,
    "       nodens COMMAND [ARGUMENTS]",
    "",
    'Commands ("nodens help COMMAND" has their flags):',
    ...lines,
    "",
    "Flags, with one dash or two:",
    helpText(SERVE.flags),
    "",
  ].join("\n");
}

/** `nodens help [COMMAND]`: 0, or 2 for a command that there is not. */
export function runHelp(args: readonly string[], output: Output): number {
  const [name = "", ...extra] = args.filter((argument) => !/^--?h(elp)?$/.test(argument));
  if (extra.length > 0) return refuse(`"${extra[0]}" follows, but nothing is expected`, output);
  if (name === "") {
    output.out(args.length === 0 ? mainHelp() : commandHelp(HELP));
    return 0;
  }
  const command = COMMANDS.find((one) => one.name === name);
  if (command === undefined) return refuse(unknownCommand(name), output);
  output.out(commandHelp(command));
  return 0;
}

/** `unknown command "chekc" (did you mean "check"?)`, or the list where none is near. */
export function unknownCommand(name: string): string {
  const names = COMMANDS.map((one) => one.name).filter((one) => one !== "");
  const hint = didYouMean(name, names) || ` (there are ${names.join(", ")})`;
  return `unknown command "${name}"${hint}`;
}

function refuse(what: string, output: Output): number {
  output.err(`nodens help: ${what}\n${usageText(HELP)}`);
  return 2;
}
