import { type Command, command } from "../../command.ts";
import { OPERATOR_EXITS } from "../flags.ts";
import { EXPLAIN_FLAGS } from "./flags.ts";

/** `explain`. */
export const EXPLAIN_COMMAND: Command = command({
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
