import type { Command } from "../command.ts";
import { HELP_FLAG } from "../flags.ts";
import { SHELLS } from "./vocabulary.ts";

const USAGE_CODE = [2, "a command line that cannot be understood"] as const;

/** Description of `nodens completion`. */
export const COMPLETION: Command = {
  name: "completion",
  summary: "print a completion script for a shell",
  forms: [{ args: SHELLS.join("|") }],
  flags: [HELP_FLAG],
  operands: [{ name: "SHELL", values: SHELLS }],
  exitCodes: [[0, "printed"], USAGE_CODE],
  async load() {
    const { runCompletion } = await import("./completion.ts");
    return async (args, { output, commands }) => runCompletion(args, output, await commands());
  },
};

/** Description of `nodens man`. */
export const MAN: Command = {
  name: "man",
  summary: "print the manual page (mdoc)",
  forms: [{ args: "" }],
  flags: [HELP_FLAG],
  operands: [],
  exitCodes: [[0, "printed"], USAGE_CODE],
  async load() {
    const { runMan } = await import("./man.ts");
    return async (args, { output, commands }) => runMan(args, output, await commands());
  },
};

/** Description of `nodens help`, beside the other commands that have a name. */
export function helpCommand(others: readonly Command[]): Command {
  return {
    name: "help",
    summary: "print help, for a command where one is named",
    forms: [{ args: "[COMMAND]" }],
    flags: [HELP_FLAG],
    operands: [{ name: "[COMMAND]", values: others.map(({ name }) => name) }],
    exitCodes: [[0, "printed"], USAGE_CODE],
    async load() {
      const { runHelp } = await import("./help.ts");
      return async (args, { output, commands }) => runHelp(args, output, await commands());
    },
  };
}
