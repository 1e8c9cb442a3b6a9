import type { Library, PluginTraits } from "../traits.ts";
import type { ErrorsOptions } from "./options.ts";
import { loadPatterns } from "./pattern.ts";

const PATTERNS: Library = { load: loadPatterns };

/** What the rest of the program may know of `errors`. */
export const errorsTraits: PluginTraits<ErrorsOptions> = {
  library: ({ consolidate }) => consolidate.length > 0 ? PATTERNS : null,
  logsStacks: ({ stacktrace }) => stacktrace,
};
