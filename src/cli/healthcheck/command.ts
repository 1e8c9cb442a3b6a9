import type { Command } from "../command.ts";
import { HELP_FLAG } from "../flags.ts";

/** Where `health` listens unless told otherwise. */
const DEFAULT = "http://127.0.0.1:8080/health";

/** Description of `nodens healthcheck`. */
export const HEALTHCHECK: Command = {
  name: "healthcheck",
  summary: "exit 0 where /health says OK, else 1",
  forms: [{ args: "[URL|ADDRESS]", summary: `(default ${DEFAULT})` }],
  flags: [HELP_FLAG],
  operands: [{ name: "[URL|ADDRESS]" }],
  exitCodes: [
    [0, "it says OK"],
    [1, "it does not, or nobody answers"],
    [2, "a command line that cannot be understood"],
  ],
  async load() {
    const { runHealthcheck } = await import("./healthcheck.ts");
    return (args, { output }) => runHealthcheck(args.length > 0 ? args : [DEFAULT], output);
  },
};
