import type { Dispenser } from "../../corefile/dispenser.ts";
import { didYouMean } from "../../corefile/nearest.ts";
import { quote } from "../../corefile/quote.ts";
import { MAX_DURATION_MS, readDuration } from "../../corefile/values.ts";
import type { PluginSetup } from "../controller.ts";
import type { ConsolidateOptions, ErrorsLevel, ErrorsOptions } from "./options.ts";
import { compilePattern } from "../pattern.ts";

const PERIOD = { name: "consolidate", min: 0, max: MAX_DURATION_MS } as const;
/** CoreDNS's bound on the length of an expression. */
const MAX_PATTERN = 10_000;
const LEVELS: readonly ErrorsLevel[] = ["debug", "info", "warning", "error"];
const SHOW_FIRST = "show_first";
const USAGE = "DURATION REGEXP [LEVEL] [show_first]";

/** Reads `errors { stacktrace; consolidate DURATION REGEXP [LEVEL] [show_first] }`. */
export const errorsSetup: PluginSetup = {
  name: "errors",
  setup({ tokens, addHandler }) {
    tokens.once(() => {
      const options: ErrorsOptions = { stacktrace: false, consolidate: [] };
      // CoreDNS wrote errors to a file once, and still takes the name of standard output.
      if (tokens.nextArg() && tokens.value !== "stdout") {
        throw tokens.error(`cannot log to ${quote(tokens.value)} (only standard output: "errors")`);
      }
      tokens.eachInBlock((option) => {
        if (option === "stacktrace") {
          options.stacktrace = true;
        } else if (option === "consolidate") {
          options.consolidate.push(readConsolidate(tokens));
        } else {
          const hint = didYouMean(option, ["stacktrace", "consolidate"]);
          throw tokens.error(`unknown option ${quote(option)}${hint}`);
        }
      });
      addHandler(options);
    });
  },
};

function readConsolidate(tokens: Dispenser): ConsolidateOptions {
  const [period, pattern, ...rest] = tokens.someArgs(USAGE, 4);
  if (pattern === undefined) {
    throw tokens.error(`consolidate needs a regular expression (consolidate ${USAGE})`);
  }
  if (pattern.length > MAX_PATTERN) {
    throw tokens.error(
      `consolidate: the regular expression has ${pattern.length} characters (at most ${MAX_PATTERN})`,
    );
  }
  const { error } = compilePattern(pattern);
  if (error !== null) {
    throw tokens.error(`consolidate: ${quote(pattern)} is no regular expression: ${error}`);
  }
  const showFirst = rest.at(-1) === SHOW_FIRST;
  if (showFirst) rest.pop();
  const [word = "error", more] = rest;
  const level = LEVELS.find((name) => name === word);
  if (level === undefined || more !== undefined) {
    if (word === SHOW_FIRST) throw tokens.error(`consolidate: the level goes before ${SHOW_FIRST}`);
    if (level !== undefined) {
      throw tokens.error(`consolidate: ${quote(more!)} follows a level (${USAGE})`);
    }
    throw tokens.error(
      `consolidate: unknown level ${quote(word)}` +
        (didYouMean(word, LEVELS) || ` (${LEVELS.join(", ")})`),
    );
  }
  return { periodMs: readDuration(tokens, period!, PERIOD), pattern, level, showFirst };
}
