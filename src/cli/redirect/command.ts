import type { Command } from "../command.ts";
import { ACTIONS, REDIRECT_FLAGS } from "./flags.ts";

/** Description of `nodens redirect`. */
export const REDIRECT: Command = {
  name: "redirect",
  summary: "send the host's queries to nodens, by iptables rules",
  forms: [{ args: "install|remove|status [-n] [FLAGS]" }],
  flags: REDIRECT_FLAGS,
  operands: [{ name: "ACTION", values: ACTIONS }],
  exitCodes: [
    [0, "done; with status: all rules are there"],
    [1, "that failed; with status: rules are missing"],
    [2, "a command line that cannot be understood"],
  ],
  async load() {
    const { runRedirect } = await import("./redirect.ts");
    const { runCommand } = await import("../../node/rules/command.ts");
    return (args, { output }) => runRedirect(args, output, runCommand);
  },
};
