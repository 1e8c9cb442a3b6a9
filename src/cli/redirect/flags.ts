import { type Flag, HELP_FLAG } from "../flags.ts";

/** Flags of `nodens redirect`. */
export const REDIRECT_FLAGS = [
  { name: "n", kind: "boolean", default: false, help: "print the commands and run none" },
  {
    name: "to",
    kind: "text",
    value: "ADDRESSES",
    default: "",
    help: "address of nodens, one a family, with a comma between; else it listens on all",
  },
  { name: "port", kind: "number", value: "PORT", default: 53, help: "port of nodens" },
  {
    name: "only",
    kind: "text",
    value: "ADDRESSES",
    default: "",
    help: "servers to redirect from; else all others",
  },
  {
    name: "except",
    kind: "text",
    value: "ADDRESSES",
    default: "",
    help: "servers whose traffic is left alone",
  },
  {
    name: "except-uid",
    kind: "text",
    value: "USER",
    default: "",
    help: "user whose traffic is left alone",
  },
  {
    name: "interface",
    kind: "text",
    value: "NAMES",
    default: "",
    help: "interfaces of containers (docker0,br-+); else all",
  },
  { name: "containers", kind: "boolean", default: true, help: "containers as well as the host" },
  { name: "failopen", kind: "boolean", default: true, help: "only while nodens answers" },
  HELP_FLAG,
] as const satisfies readonly Flag[];

/** What it can do. */
export const ACTIONS = ["install", "remove", "status"] as const;
