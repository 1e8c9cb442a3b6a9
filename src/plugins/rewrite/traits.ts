import type { PluginTraits } from "../traits.ts";
import type { RewriteOptions, RewriteRule } from "./options.ts";

/** Traits of `rewrite`. */
export const rewriteTraits: PluginTraits<RewriteOptions> = {
  parts: ({ rules }) => rules.some(hasPattern) ? ["patterns"] : [],
};

function hasPattern(rule: RewriteRule): boolean {
  return ("match" in rule && rule.match.how === "regex") ||
    (rule.field === "name" && rule.answers.length > 0);
}
