import { type Command, command, USAGE_EXIT } from "../command.ts";
import { boolean, choice, number, text } from "../flags.ts";
import { CACHE_COMMANDS } from "./cache_commands.ts";
import { EXPLAIN_COMMAND } from "./explain/command.ts";
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

const TOP = command({
  name: "top",
  summary: "show who asks what now: rates, latency, upstreams, the most frequent names",
  forms: [{ args: "[-by LIST] [-n NUMBER] [-span TIME] [-once] [-json] [-control PATH]" }],
  description: [
    "A table that is redrawn each second until q or Ctrl-C, or one snapshot if the output is not a" +
    " terminal.",
    "Numbers with + are at least so many: a list of fixed size forgets what is rare.",
  ],
  flags: {
    ...OPERATOR_FLAGS,
    by: choice(
      "LIST",
      ["all", "names", "clients", "zones", "failures", "slow"],
      "only this list: names, clients, zones, failures or slow",
    ),
    n: number("NUMBER", 10, "entries of a list, unless on a screen", { min: 1, max: 100 }),
    span: choice("TIME", ["minute", "hour"], "lists of the last minute or hour"),
    once: boolean("print one snapshot"),
  },
  exitCodes: OPERATOR_EXITS,
  load: async () => ({ run: (await import("./top.ts")).top }),
});

const WATCH = command({
  name: "watch",
  summary: "show queries as they are answered",
  forms: [{
    args: "[-client NETWORK] [-name ZONE] [-rcode NAMES] [-slow MS] [-sample NUMBER]" +
      " [-json] [-control PATH]",
  }],
  description: ["Only queries that meet all conditions are shown, until Ctrl-C."],
  flags: {
    ...OPERATOR_FLAGS,
    client: text("NETWORK", "only from this address or network, like 10.0.0.0/8"),
    name: text("ZONE", "only this name and those below it"),
    rcode: text("NAMES", "only with these answers, like SERVFAIL,REFUSED; none: not answered"),
    slow: number("MS", 0, "only those that waited so long", { min: 0, max: 60_000 }),
    sample: number("NUMBER", 1, "only one of so many", { min: 1, max: 1_000_000 }),
  },
  exitCodes: OPERATOR_EXITS,
  load: async () => ({ run: (await import("./watch.ts")).watch }),
});

/** Commands that ask a serving nodens. */
export const OPERATOR_COMMANDS: readonly Command[] = [
  TOP,
  WATCH,
  UPSTREAMS,
  ...CACHE_COMMANDS,
  EXPLAIN_COMMAND,
  RELOAD,
  LOG,
  STOP,
];
