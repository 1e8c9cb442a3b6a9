import { type Flag, HELP_FLAG } from "../flags.ts";

/** Flags of `nodens check`. */
export const CHECK_FLAGS = [
  { name: "json", kind: "boolean", default: false, help: "print the configuration as JSON" },
  { name: "strict", kind: "boolean", default: false, help: "exit with 1 for a warning as well" },
  {
    name: "dns.port",
    kind: "number",
    value: "PORT",
    alias: "p",
    default: 53,
    help: "default port",
  },
  HELP_FLAG,
] as const satisfies readonly Flag[];
