import type { Dispenser } from "../../corefile/dispenser.ts";
import { quote } from "../../corefile/quote.ts";
import { MAX_DURATION_MS, readDuration } from "../../corefile/values.ts";
import type { LogLevel } from "../../engine/handler.ts";
import type { PluginSetup } from "../setup.ts";
import { readPattern } from "../pattern.ts";

/** Errors logged as one line. */
export interface ConsolidateOptions {
  /** Until the summary. */
  periodMs: number;
  pattern: string;
  level: LogLevel;
  showFirst: boolean;
}

/** Options of `errors`. */
export interface ErrorsOptions {
  stacktrace: boolean;
  /** First match counts. */
  consolidate: ConsolidateOptions[];
}

const PERIOD = { name: "consolidate", min: 0, max: MAX_DURATION_MS } as const;
const LEVELS: readonly LogLevel[] = ["debug", "info", "warning", "error"];
const SHOW_FIRST = "show_first";
const USAGE = "DURATION REGEXP [LEVEL] [show_first]";

/** Reads `errors { stacktrace; consolidate DURATION REGEXP [LEVEL] [show_first] }`. */
export const errorsSetup: PluginSetup = {
  name: "errors",
  setup({ tokens, addHandler }) {
    tokens.once(() => {
      const options: ErrorsOptions = { stacktrace: false, consolidate: [] };
      // CoreDNS still accepts `stdout`.
      if (tokens.nextArg() && tokens.value !== "stdout") {
        throw tokens.error(`cannot log to ${quote(tokens.value)} (only standard output: "errors")`);
      }
      tokens.options({
        stacktrace: () => options.stacktrace = true,
        consolidate: () => options.consolidate.push(readConsolidate(tokens)),
      });
      addHandler(options);
    });
  },
};

function readConsolidate(tokens: Dispenser): ConsolidateOptions {
  const fault = (what: string) => tokens.error(`consolidate: ${what}`);
  const [period, pattern, ...rest] = tokens.someArgs(USAGE, 4);
  if (pattern === undefined) throw fault(`the regular expression is missing (${USAGE})`);
  readPattern(tokens, pattern, "consolidate: ");
  const showFirst = rest.at(-1) === SHOW_FIRST;
  if (showFirst) rest.pop();
  const [word = "error", more] = rest;
  if (word === SHOW_FIRST) throw fault(`the level goes before ${SHOW_FIRST}`);
  const level = tokens.choose(word, LEVELS, "consolidate: unknown level");
  if (more !== undefined) throw fault(`${quote(more)} follows a level (${USAGE})`);
  return { periodMs: readDuration(tokens, period, PERIOD), pattern, level, showFirst };
}
