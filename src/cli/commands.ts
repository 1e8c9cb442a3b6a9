import { CHECK } from "./check/command.ts";
import type { Command } from "./command.ts";
import { DOCTOR } from "./doctor/command.ts";
import { HEALTHCHECK } from "./healthcheck/command.ts";
import { MANIFEST } from "./manifest/command.ts";
import { OPERATOR_COMMANDS } from "./operator/command.ts";
import { QUERY } from "./query/command.ts";
import { REDIRECT } from "./redirect/command.ts";
import { SERVE } from "./serve/command.ts";
import { COMPLETE, COMPLETION, helpCommand, MAN } from "./shell/command.ts";
import { STATUS } from "./status/command.ts";

const OTHERS = [
  CHECK,
  QUERY,
  STATUS,
  ...OPERATOR_COMMANDS,
  DOCTOR,
  HEALTHCHECK,
  REDIRECT,
  MANIFEST,
  COMPLETION,
  MAN,
];

/** All commands in help order. */
export const COMMANDS: readonly Command[] = [SERVE, ...OTHERS, helpCommand(OTHERS)];

/** Hidden commands, for programs. */
export const HIDDEN_COMMANDS: readonly Command[] = [COMPLETE];
