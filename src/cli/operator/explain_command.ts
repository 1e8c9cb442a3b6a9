import { type Command, command } from "../command.ts";
import { boolean, text } from "../flags.ts";
import { OPERATOR_EXITS, OPERATOR_FLAGS } from "./flags.ts";

/** Flags of `explain`. */
export const EXPLAIN_FLAGS = {
  ...OPERATOR_FLAGS,
  from: text("ADDRESS", "client that seems to ask; default: this host"),
  listener: text("ADDRESS:PORT", "listener that is asked; default: the first with a zone"),
  class: text("CLASS", "class of the query, like CH; default: IN"),
  tcp: boolean("over TCP"),
  dnssec: boolean("with the flag DO: DNSSEC records are wanted"),
  cd: boolean("with the flag CD: the client validates itself"),
  ask: boolean("ask it too, and show the answer and times"),
};

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
