import { type Command, usageLines } from "../command.ts";
import { STATUS_FLAGS } from "./flags.ts";

/** Description of `nodens status`. */
export const STATUS: Command = {
  name: "status",
  summary: "show how a running nodens is: caches, upstreams, reloads",
  forms: [{ args: "[--json] [-timeout SECONDS] [ADDRESS]" }],
  description: [
    "ADDRESS is where it serves metrics, localhost:9153 unless another is given.",
  ],
  flags: STATUS_FLAGS,
  operands: [{ name: "[ADDRESS]" }],
  exitCodes: [
    [0, "a status"],
    [1, "none answers there"],
    [2, "a command line that cannot be understood"],
  ],
  async load() {
    const { runStatus } = await import("./status.ts");
    return (args, { output }) => runStatus(args, output, usageLines(STATUS));
  },
};
