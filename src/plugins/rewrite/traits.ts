import { PATTERNS } from "../pattern.ts";
import type { PluginTraits } from "../traits.ts";
import type { RewriteOptions, RewriteRule } from "./options.ts";

/** Traits of `rewrite`. */
export const rewriteTraits: PluginTraits<RewriteOptions> = {
  library: ({ rules }) => rules.some(hasPattern) ? PATTERNS : null,
};

function hasPattern(rule: RewriteRule): boolean {
  if ("match" in rule && rule.match.how === "regex") return true;
  return rule.field === "name" && rule.answers.length > 0;
}
