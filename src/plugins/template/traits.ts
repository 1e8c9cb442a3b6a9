import { PATTERNS } from "../pattern.ts";
import type { PluginTraits } from "../traits.ts";
import type { TemplateOptions } from "./options.ts";

/** Traits of `template`. */
export const templateTraits: PluginTraits<TemplateOptions> = {
  library: ({ templates }) =>
    templates.some(({ patterns }) => patterns.length > 0) ? PATTERNS : null,
};
