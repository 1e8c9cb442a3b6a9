import { command, USAGE_EXIT } from "../command.ts";
import { DOCTOR_FLAGS } from "./options.ts";

export const DOCTOR = command({
  name: "doctor",
  summary: "look whether nodens would work on this node, or does",
  forms: [{ args: "[--json] [--pod] [FLAGS of nodens]" }],
  description: [
    "Give it the flags that nodens is given, and it looks at the machine as they want it.",
  ],
  flags: DOCTOR_FLAGS,
  hiddenFlags: [
    ...["quiet", "log-format", "log-time", "pidfile", "plugins", "version", "workers", "io"],
  ],
  exitCodes: [[0, "no problem"], [1, "problems, each told with what to do"], USAGE_EXIT],
  load: () => import("./doctor.ts"),
});
