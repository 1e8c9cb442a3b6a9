import { type Command, command, USAGE_EXIT } from "../command.ts";
import { text } from "../flags.ts";
import { EXPLAIN_FLAGS, OPERATOR_EXITS, OPERATOR_FLAGS } from "./flags.ts";

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

const EXPLAIN = command({
  name: "explain",
  summary: "tell what nodens does with a query, plugin by plugin, and why",
  forms: [{
    args: "[-from ADDRESS] [-listener ADDRESS:PORT] [-tcp] [-dnssec] [-cd] [-ask] NAME [TYPE]",
  }],
  description: [
    "Shows listener, server block, what each plugin does and why, what the cache has, and which " +
    "upstream would be asked. Without -ask it has no effect.",
  ],
  flags: EXPLAIN_FLAGS,
  operands: [{ name: "NAME" }, { name: "[TYPE]" }],
  exitCodes: OPERATOR_EXITS,
  load: async () => ({ run: (await import("./explain.ts")).explain }),
});

/** Commands that ask a serving nodens. */
export const OPERATOR_COMMANDS: readonly Command[] = [EXPLAIN, RELOAD, LOG, STOP];
