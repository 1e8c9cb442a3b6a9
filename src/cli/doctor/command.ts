import type { Command } from "../command.ts";
import { HELPED_FLAGS } from "./flags.ts";

/** Description of `nodens doctor`. */
export const DOCTOR: Command = {
  name: "doctor",
  summary: "look whether nodens would work on this node, or does",
  forms: [{ args: "[--json] [--pod] [FLAGS of nodens]" }],
  description: [
    "Give it the flags that nodens is given, and it looks at the machine as they want it.",
  ],
  flags: HELPED_FLAGS,
  operands: [],
  exitCodes: [
    [0, "no problem"],
    [1, "problems, each told with what to do"],
    [2, "a command line that cannot be understood"],
  ],
  async load() {
    const { runDoctor } = await import("./doctor.ts");
    const { denoHost } = await import("../../control/host_deno.ts");
    return (args, { output }) => runDoctor(args, denoHost, output);
  },
};
