import { command, USAGE_EXIT } from "../command.ts";
import { boolean, HELP_FLAG, port } from "../flags.ts";

/** `nodens check`. */
export const CHECK = command({
  name: "check",
  summary: "report every fault of a Corefile, and describe it",
  forms: [{ args: "[--json] [-strict] [-dns.port PORT] FILE" }],
  flags: {
    json: boolean("print the configuration as JSON"),
    strict: boolean("exit with 1 for a warning as well"),
    "dns.port": port(53, "default port", "p"),
    h: HELP_FLAG,
  },
  operands: [{ name: "FILE" }],
  exitCodes: [
    [0, "no fault; with -strict no warning either"],
    [1, "faults, each with its line, or an unreadable file"],
    USAGE_EXIT,
  ],
  load: () => import("./check.ts"),
});
