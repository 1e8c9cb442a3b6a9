import type { Command } from "../command.ts";
import { CHECK_FLAGS } from "./flags.ts";

/** Description of `nodens check`. */
export const CHECK: Command = {
  name: "check",
  summary: "report every fault of a Corefile, and tell what it does",
  forms: [{ args: "[--json] [-strict] [-dns.port PORT] FILE" }],
  flags: CHECK_FLAGS,
  operands: [{ name: "FILE" }],
  exitCodes: [
    [0, "no fault; with -strict no warning either"],
    [1, "faults, each told with its line, or a file that cannot be read"],
    [2, "a command line that cannot be understood"],
  ],
  async load() {
    const { runCheck } = await import("./check.ts");
    const { commandHost } = await import("../../control/host_deno.ts");
    return (args, { output }) => runCheck(args, commandHost, output);
  },
};
