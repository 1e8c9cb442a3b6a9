import { command, USAGE_EXIT } from "../command.ts";
import { boolean, HELP_FLAG, number, text } from "../flags.ts";

/** `nodens redirect`. */
export const REDIRECT = command({
  name: "redirect",
  summary: "send the host's queries to nodens, by iptables rules",
  forms: [{ args: "install|remove|status [-n] [FLAGS]" }],
  flags: {
    n: boolean("print the commands and run none"),
    to: text(
      "ADDRESSES",
      "address of nodens, one a family, with a comma between; else it listens on all",
    ),
    port: number("PORT", 53, "port of nodens"),
    only: text("ADDRESSES", "servers to redirect from; else all others"),
    except: text("ADDRESSES", "servers whose traffic is left alone"),
    "except-uid": text("USER", "user whose traffic is left alone"),
    interface: text("NAMES", "interfaces of containers (docker0,br-+); else all"),
    containers: boolean("containers as well as the host", true),
    failopen: boolean("only while nodens answers", true),
    h: HELP_FLAG,
  },
  operands: [{ name: "ACTION", values: ["install", "remove", "status"] }],
  exitCodes: [
    [0, "done; with status: all rules are there"],
    [1, "that failed; with status: rules are missing"],
    USAGE_EXIT,
  ],
  load: () => import("./redirect.ts"),
});
