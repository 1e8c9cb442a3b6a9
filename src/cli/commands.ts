import { CHECK } from "./check/check.ts";
import type { Command } from "./command.ts";
import { DOCTOR } from "./doctor/flags.ts";
import { HELP_FLAG } from "./flags.ts";
import { HEALTHCHECK } from "./status/healthcheck.ts";
import { MANIFEST } from "./manifest/manifest.ts";
import { QUERY } from "./query/args.ts";
import { REDIRECT } from "./redirect/redirect.ts";
import { SERVE } from "./serve/flags.ts";
import { STATUS } from "./status/status.ts";

/** The shells that `nodens completion` knows. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

const USAGE_CODE = [2, "a command line that cannot be understood"] as const;

/** Description of `nodens completion`. */
export const COMPLETION: Command = {
  name: "completion",
  summary: "print a completion script for a shell",
  forms: [{ args: SHELLS.join("|") }],
  flags: [HELP_FLAG],
  operands: [{ name: "SHELL", values: SHELLS }],
  exitCodes: [[0, "printed"], USAGE_CODE],
};

/** Description of `nodens man`. */
export const MAN: Command = {
  name: "man",
  summary: "print the manual page (mdoc)",
  forms: [{ args: "" }],
  flags: [HELP_FLAG],
  operands: [],
  exitCodes: [[0, "printed"], USAGE_CODE],
};

const OTHERS = [CHECK, QUERY, STATUS, DOCTOR, HEALTHCHECK, REDIRECT, MANIFEST, COMPLETION, MAN];

/** Description of `nodens help`. */
export const HELP: Command = {
  name: "help",
  summary: "print help, for a command where one is named",
  forms: [{ args: "[COMMAND]" }],
  flags: [HELP_FLAG],
  operands: [{ name: "[COMMAND]", values: OTHERS.map(({ name }) => name) }],
  exitCodes: [[0, "printed"], USAGE_CODE],
};

/** All that nodens does, in the order of help and manual; serving, which has no name, comes first. */
export const COMMANDS: readonly Command[] = [SERVE, ...OTHERS, HELP];
