import type { PluginTraits } from "../traits.ts";
import type { TemplateOptions } from "./options.ts";

/** Traits of `template`. */
export const templateTraits: PluginTraits<TemplateOptions> = {
  parts: ({ templates }) =>
    templates.some(({ patterns, variables, conditions }) =>
        patterns.length + variables.length + conditions.length > 0
      )
      ? ["patterns"]
      : [],
};
