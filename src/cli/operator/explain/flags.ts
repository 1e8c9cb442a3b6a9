import { boolean, text } from "../../flags.ts";
import { OPERATOR_FLAGS } from "../flags.ts";

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
