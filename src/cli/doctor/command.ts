import { command, USAGE_EXIT } from "../command.ts";
import { DOCTOR_FLAGS } from "./options.ts";

/** `nodens doctor`. */
export const DOCTOR = command({
  name: "doctor",
  summary: "examine whether nodens works on this node, or would",
  forms: [{ args: "[--json] [--pod] [-inherit FILE] [FLAGS of nodens]" }],
  description: ["Give it the flags of nodens, and it examines the machine for them."],
  flags: DOCTOR_FLAGS,
  hiddenFlags: [
    ...["quiet", "log-format", "log-time", "pidfile", "plugins", "version", "workers", "io"],
  ],
  exitCodes: [[0, "no problem"], [1, "problems, each with a remedy"], USAGE_EXIT],
  load: () => import("./doctor.ts"),
});
