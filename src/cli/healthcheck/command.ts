import { command, USAGE_EXIT } from "../command.ts";
import { HELP_FLAG } from "../flags.ts";

/** `nodens healthcheck`. */
export const HEALTHCHECK = command({
  name: "healthcheck",
  summary: "exit 0 if /health says OK, else 1",
  forms: [{ args: "[URL|ADDRESS]", summary: "(default http://127.0.0.1:8080/health)" }],
  flags: { h: HELP_FLAG },
  operands: [{ name: "[URL|ADDRESS]" }],
  exitCodes: [[0, "it says OK"], [1, "it does not, or nothing answers"], USAGE_EXIT],
  load: () => import("./healthcheck.ts"),
});
