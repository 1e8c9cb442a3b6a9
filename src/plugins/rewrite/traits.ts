import type { PluginTraits } from "../traits.ts";
import type { RewriteOptions } from "./options.ts";

/** Traits of `rewrite`. */
export const rewriteTraits: PluginTraits<RewriteOptions> = {
  usesPatterns: ({ rules }) =>
    rules.some((rule) =>
      ("match" in rule && rule.match.how === "regex") ||
      (rule.field === "name" && rule.answers.length > 0)
    ),
};
