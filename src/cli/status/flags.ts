import { type Flag, HELP_FLAG } from "../flags.ts";

/** Flags of `nodens status`. */
export const STATUS_FLAGS = [
  { name: "json", kind: "boolean", default: false, help: "print what the server sent" },
  { name: "timeout", kind: "number", value: "SECONDS", default: 5, help: "seconds to wait" },
  HELP_FLAG,
] as const satisfies readonly Flag[];
