import type { ErrorsOptions } from "../plugins/errors/options.ts";
import type { Config } from "../config/types.ts";

/** Whether the configuration has regular expressions, so that their library must be loaded. */
export function hasPatterns(config: Config): boolean {
  return config.blocks.some((block) =>
    block.plugins.some(({ name, options }) =>
      name === "errors" && (options as ErrorsOptions).consolidate.length > 0
    )
  );
}
