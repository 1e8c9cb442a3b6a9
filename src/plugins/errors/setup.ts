import { readDuration } from "../../corefile/values.ts";
import { suggestion } from "../../corefile/nearest.ts";
import type { PluginSetup } from "../controller.ts";
import type { ErrorsLevel, ErrorsOptions } from "./options.ts";

const PERIOD = { name: "consolidate", min: 1, max: 86_400_000 } as const;
/** CoreDNS's bound on the length of an expression. */
const MAX_PATTERN = 10_000;
const LEVELS: readonly ErrorsLevel[] = ["debug", "info", "warning", "error"];

/** Reads `errors { stacktrace; consolidate DURATION REGEXP [LEVEL] [show_first] }`. */
export const errorsSetup: PluginSetup = {
  name: "errors",
  setup({ tokens, addHandler }) {
    tokens.nextDirective();
    const options: ErrorsOptions = { stacktrace: false, consolidate: [] };
    const extra = tokens.remainingArgs();
    // CoreDNS took `errors stdout` once, and still does.
    if (extra.length > 1 || (extra.length === 1 && extra[0] !== "stdout")) {
      throw tokens.error(`takes no argument, read "${extra[0]}" (options go into a block)`);
    }
    tokens.eachInBlock((option) => {
      if (option === "stacktrace") {
        options.stacktrace = true;
        return;
      }
      if (option !== "consolidate") {
        const hint = suggestion(option, ["stacktrace", "consolidate"]);
        throw tokens.error(`unknown option "${option}"${hint}`);
      }
      const [period, pattern, ...rest] = tokens.someArgs("DURATION REGEXP [LEVEL] [show_first]");
      if (pattern === undefined) throw tokens.error("consolidate needs a regular expression");
      if (pattern.length > MAX_PATTERN) {
        throw tokens.error(`consolidate: the expression is longer than ${MAX_PATTERN} characters`);
      }
      const showFirst = rest.at(-1) === "show_first";
      if (showFirst) rest.pop();
      const level = LEVELS.find((name) => name === (rest[0] ?? "error"));
      if (level === undefined || rest.length > 1) {
        const word = rest[rest.length > 1 ? 1 : 0]!;
        throw tokens.error(`consolidate: "${word}" is no level (${LEVELS.join(", ")})`);
      }
      const periodMs = readDuration(tokens, period!, PERIOD);
      options.consolidate.push({ periodMs, pattern, level, showFirst });
    });
    if (tokens.nextDirective()) throw tokens.error("stands twice in this block (merge them)");
    addHandler(options);
  },
};
