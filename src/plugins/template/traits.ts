import { PATTERNS } from "../pattern.ts";
import type { PluginTraits } from "../traits.ts";
import type { TemplateOptions } from "./options.ts";

/** Traits of `template`. */
export const templateTraits: PluginTraits<TemplateOptions> = {
  library: ({ templates }) =>
    templates.some(({ patterns, variables, conditions }) =>
        patterns.length + variables.length + conditions.length > 0
      )
      ? PATTERNS
      : null,
};
