import { command, USAGE_EXIT } from "../command.ts";
import { REDIRECT_FLAGS } from "./options.ts";

/** `nodens redirect`. */
export const REDIRECT = command({
  name: "redirect",
  summary: "send the host's queries to nodens, by iptables rules",
  forms: [{ args: "install|remove|status [-n] [FLAGS]" }],
  flags: REDIRECT_FLAGS,
  operands: [{ name: "ACTION", values: ["install", "remove", "status"] }],
  exitCodes: [
    [0, "done; with status: all rules are there"],
    [1, "that failed; with status: rules are missing"],
    USAGE_EXIT,
  ],
  load: () => import("./redirect.ts"),
});
