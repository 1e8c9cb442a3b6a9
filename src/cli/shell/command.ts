import { type Command, command, USAGE_EXIT } from "../command.ts";
import { HELP_FLAG } from "../flags.ts";

const EXIT_CODES = [[0, "printed"], USAGE_EXIT] as const;
const FLAGS = { h: HELP_FLAG };

/** `nodens completion`. */
export const COMPLETION = command({
  name: "completion",
  summary: "print a completion script for a shell",
  forms: [{ args: "bash|zsh|fish" }],
  flags: FLAGS,
  operands: [{ name: "SHELL", values: ["bash", "zsh", "fish"] }],
  exitCodes: EXIT_CODES,
  load: () => import("./scripts.ts"),
});

/** `nodens __complete WORD...`, for scripts. */
export const COMPLETE = command({
  name: "__complete",
  summary: "print the words that may stand in the place of the last one",
  forms: [{ args: "WORD..." }],
  flags: {},
  ownSyntax: true,
  exitCodes: EXIT_CODES,
  load: () => import("./complete.ts"),
});

/** `nodens man`. */
export const MAN = command({
  name: "man",
  summary: "print the manual page (mdoc)",
  forms: [{ args: "" }],
  flags: FLAGS,
  exitCodes: EXIT_CODES,
  load: () => import("./man.ts"),
});

/** `nodens help`. */
export function helpCommand(others: readonly Command[]): Command {
  return command({
    name: "help",
    summary: "print help, or that of a command",
    forms: [{ args: "[COMMAND]" }],
    flags: FLAGS,
    operands: [{ name: "[COMMAND]", values: [...others.map(({ name }) => name), "help"] }],
    exitCodes: EXIT_CODES,
    load: () => import("./help.ts"),
  });
}
