import { PATTERNS } from "../pattern.ts";
import type { PluginTraits } from "../traits.ts";
import type { ErrorsOptions } from "./options.ts";

/** What the rest of the program may know of `errors`. */
export const errorsTraits: PluginTraits<ErrorsOptions> = {
  library: ({ consolidate }) => consolidate.length > 0 ? PATTERNS : null,
  logsStacks: ({ stacktrace }) => stacktrace,
};
