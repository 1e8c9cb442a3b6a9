import type { PluginTraits } from "../traits.ts";
import type { ErrorsOptions } from "./setup.ts";

/** Traits of `errors`. */
export const errorsTraits: PluginTraits<ErrorsOptions> = {
  parts: ({ consolidate }) => consolidate.length === 0 ? [] : ["patterns"],
  logsStacks: ({ stacktrace }) => stacktrace,
};
