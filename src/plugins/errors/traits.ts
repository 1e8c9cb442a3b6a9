import type { PluginTraits } from "../traits.ts";
import type { ErrorsOptions } from "./setup.ts";

/** Traits of `errors`. */
export const errorsTraits: PluginTraits<ErrorsOptions> = {
  usesPatterns: ({ consolidate }) => consolidate.length > 0,
  logsStacks: ({ stacktrace }) => stacktrace,
};
