import { USAGE_EXIT } from "../command.ts";
import { boolean, HELP_FLAG, text } from "../flags.ts";

/** Flags of every operator command. */
export const OPERATOR_FLAGS = {
  control: text("PATH", "control socket of the nodens to ask", "auto"),
  json: boolean("print what nodens answers: a JSON object a line"),
  h: HELP_FLAG,
};

/** Exit codes of these commands. */
export const OPERATOR_EXITS = [[0, "an answer"], [1, "none, or a refusal"], USAGE_EXIT] as const;
