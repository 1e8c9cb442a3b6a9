import { didYouMean } from "../../corefile/nearest.ts";
import type { Command } from "../command.ts";
import { FlagError } from "../flags.ts";
import { bashCompletion } from "./bash.ts";
import { fishCompletion } from "./fish.ts";
import { SHELLS } from "./vocabulary.ts";
import { zshCompletion } from "./zsh.ts";
import type { Output } from "../output.ts";
import { VERSION } from "../version.ts";

type Shell = (typeof SHELLS)[number];

const SCRIPTS: Record<Shell, (commands: readonly Command[], version: string) => string> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** `nodens completion SHELL`: prints a script. Returns 0. Throws `FlagError`. */
export function runCompletion(
  args: readonly string[],
  output: Output,
  commands: readonly Command[],
): number {
  const [name, ...extra] = args;
  const shell = SHELLS.find((one) => one === name);
  if (shell === undefined) {
    const known = SHELLS.join(", ");
    throw new FlagError(
      name === undefined
        ? `it needs one of ${known}`
        : `"${name}" is unknown${didYouMean(name, SHELLS) || ` (${known})`}`,
    );
  }
  if (extra.length > 0) throw new FlagError(`"${extra[0]}" follows, but nothing is expected`);
  output.out(completionScript(shell, commands));
  return 0;
}

/** The completion script of a shell. */
export function completionScript(shell: Shell, commands: readonly Command[]): string {
  return SCRIPTS[shell](commands, VERSION);
}
