import { CorefileError, CorefileErrors } from "../corefile/error.ts";
import type { ErrorsOptions } from "../plugins/errors/options.ts";
import { compilePattern, loadPatterns } from "../plugins/errors/pattern.ts";
import type { Config } from "./types.ts";

/** Whether the configuration has regular expressions, so that their library must be loaded. */
export function hasPatterns(config: Config): boolean {
  return config.blocks.some((block) =>
    block.plugins.some(({ name, options }) =>
      name === "errors" && (options as ErrorsOptions).consolidate.length > 0
    )
  );
}

/**
 * Loads the library of regular expressions where the configuration needs it, and tries each.
 *
 * Throws `CorefileErrors` naming those that do not compile.
 */
export async function checkPatterns(config: Config): Promise<void> {
  if (!hasPatterns(config)) return;
  await loadPatterns();
  const errors: CorefileError[] = [];
  for (const { file, plugins } of config.blocks) {
    for (const { name, line, options } of plugins) {
      if (name !== "errors") continue;
      for (const { pattern } of (options as ErrorsOptions).consolidate) {
        const { error } = compilePattern(pattern);
        if (error === null) continue;
        const what = `consolidate: "${pattern}" is no regular expression: ${error}`;
        errors.push(new CorefileError({ file, line }, name, what));
      }
    }
  }
  if (errors.length > 0) throw new CorefileErrors(errors);
}
