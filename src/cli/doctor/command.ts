import { command, USAGE_EXIT } from "../command.ts";
import { SERVE_FLAGS } from "../serve/flags.ts";
import { boolean, number, text } from "../flags.ts";

/** `nodens doctor`. It accepts the flags of serving, so that a command line can be pasted. */
export const DOCTOR = command({
  name: "doctor",
  summary: "look whether nodens would work on this node, or does",
  forms: [{ args: "[--json] [--pod] [FLAGS of nodens]" }],
  description: [
    "Give it the flags that nodens is given, and it looks at the machine as they want it.",
  ],
  flags: {
    json: boolean("print the findings as JSON"),
    name: text("NAME", "name of the cluster to ask for; else kubernetes.default.svc.DOMAIN"),
    outside: text("NAME", "other name to ask for", "example.org"),
    timeout: number("SECONDS", 2, "seconds to wait for an answer", { min: 1, max: 60 }),
    pod: boolean("ask from a network namespace made for it: the host is changed for a moment"),
    ...SERVE_FLAGS,
  },
  hiddenFlags: [
    ...["quiet", "log-format", "log-time", "pidfile", "plugins", "version", "workers", "io"],
  ],
  operands: [],
  exitCodes: [[0, "no problem"], [1, "problems, each told with what to do"], USAGE_EXIT],
  load: () => import("./doctor.ts"),
});
