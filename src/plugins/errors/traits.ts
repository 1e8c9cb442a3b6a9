import { PATTERNS } from "../pattern.ts";
import type { PluginTraits } from "../traits.ts";
import type { ErrorsOptions } from "./setup.ts";

/** Traits of `errors`. */
export const errorsTraits: PluginTraits<ErrorsOptions> = {
  library: ({ consolidate }) => consolidate.length > 0 ? PATTERNS : null,
  logsStacks: ({ stacktrace }) => stacktrace,
};
