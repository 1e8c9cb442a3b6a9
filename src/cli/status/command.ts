import { command, USAGE_EXIT } from "../command.ts";
import { boolean, HELP_FLAG, number } from "../flags.ts";

/** `nodens status`. */
export const STATUS = command({
  name: "status",
  summary: "show the state of a running nodens: caches, upstreams, reloads",
  forms: [{ args: "[--json] [-timeout SECONDS] [ADDRESS]" }],
  description: ["ADDRESS is where it serves metrics, localhost:9153 unless another is given."],
  flags: {
    json: boolean("print what the server sent"),
    timeout: number("SECONDS", 5, "seconds to wait", { min: 1, max: 3600 }),
    h: HELP_FLAG,
  },
  operands: [{ name: "[ADDRESS]" }],
  exitCodes: [[0, "a status"], [1, "none answers there"], USAGE_EXIT],
  load: () => import("./status.ts"),
});
