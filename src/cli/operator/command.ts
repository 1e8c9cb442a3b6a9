import { type Command, command, USAGE_EXIT } from "../command.ts";
import { text } from "../flags.ts";
import { OPERATOR_EXITS, OPERATOR_FLAGS } from "./flags.ts";
import { UPSTREAMS } from "./upstreams_command.ts";

const RELOAD = command({
  name: "reload",
  summary: "read the Corefile again, and say what is wrong with it",
  forms: [{ args: "[-control PATH]" }],
  flags: OPERATOR_FLAGS,
  exitCodes: [[0, "it is served"], [1, "it is refused, or none answers"], USAGE_EXIT],
  load: async () => ({ run: (await import("./process.ts")).reload }),
});

const LOG = command({
  name: "log",
  summary: "log debug lines, or no more",
  forms: [{ args: "[-for TIME] debug on|off" }],
  description: ["The Corefile's directive debug counts again after TIME, or after a restart."],
  flags: { ...OPERATOR_FLAGS, for: text("TIME", "for this long only, like 5m") },
  operands: [{ name: "WHAT", values: ["debug"] }, { name: "SWITCH", values: ["on", "off"] }],
  exitCodes: OPERATOR_EXITS,
  load: async () => ({ run: (await import("./process.ts")).log }),
});

const STOP = command({
  name: "stop",
  summary: "stop a serving nodens as SIGTERM does: no query is lost",
  forms: [{ args: "[-control PATH]" }],
  flags: OPERATOR_FLAGS,
  exitCodes: OPERATOR_EXITS,
  load: async () => ({ run: (await import("./process.ts")).stop }),
});

/** Commands that ask a serving nodens. */
export const OPERATOR_COMMANDS: readonly Command[] = [RELOAD, LOG, STOP, UPSTREAMS];
