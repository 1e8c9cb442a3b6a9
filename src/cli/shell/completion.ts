import { didYouMean } from "../../corefile/nearest.ts";
import { type Command, commandHelp, usageText } from "../command.ts";
import { COMMANDS, COMPLETION, SHELLS } from "../commands.ts";
import { bashCompletion } from "./bash.ts";
import { fishCompletion } from "./fish.ts";
import { zshCompletion } from "./zsh.ts";
import type { Output } from "../output.ts";
import { VERSION } from "../version.ts";

type Shell = (typeof SHELLS)[number];

const SCRIPTS: Record<Shell, (commands: readonly Command[], version: string) => string> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** `nodens completion SHELL`: prints a script. Returns 0, or 2 for bad usage. */
export function runCompletion(args: readonly string[], output: Output): number {
  if (args.some((argument) => /^--?h(elp)?$/.test(argument))) {
    output.out(commandHelp(COMPLETION));
    return 0;
  }
  const [name, ...extra] = args;
  const shell = SHELLS.find((one) => one === name);
  if (shell === undefined || extra.length > 0) {
    const known = SHELLS.join(", ");
    const what = name === undefined
      ? `it needs one of ${known}`
      : shell === undefined
      ? `"${name}" is unknown${didYouMean(name, SHELLS) || ` (${known})`}`
      : `"${extra[0]}" follows, but nothing is expected`;
    output.err(`nodens completion: ${what}\n${usageText(COMPLETION)}`);
    return 2;
  }
  output.out(SCRIPTS[shell](COMMANDS, VERSION));
  return 0;
}
