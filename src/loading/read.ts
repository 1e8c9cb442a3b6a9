import { loadPatterns, PatternsMissing } from "../plugins/pattern.ts";
import type { HostView } from "../config/host.ts";
import { loadConfig, type LoadedConfig } from "./load.ts";

/** As `loadConfig`, but loads the library of patterns if it is needed. Throws `CorefileErrors`. */
export async function readConfig(
  source: { file: string; text: string; defaultPort: number },
  host: HostView,
): Promise<LoadedConfig> {
  for (;;) {
    try {
      return loadConfig(source, host);
    } catch (error) {
      if (!(error instanceof PatternsMissing)) throw error;
      await loadPatterns();
    }
  }
}
