import { USAGE_EXIT } from "../command.ts";
import { boolean, HELP_FLAG, text } from "../flags.ts";

/** Flags of every command that asks a serving nodens. */
export const OPERATOR_FLAGS = {
  control: text("PATH", "control socket of the nodens to ask", "auto"),
  json: boolean("print what nodens answers: a JSON object a line"),
  h: HELP_FLAG,
};

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

/** Exit codes of these commands. */
export const OPERATOR_EXITS = [[0, "an answer"], [1, "none, or a refusal"], USAGE_EXIT] as const;
