import { loadPatterns, PatternsMissing } from "../plugins/errors/pattern.ts";
import type { HostView } from "./host.ts";
import { loadConfig, type LoadedConfig } from "./load.ts";

/**
 * Reads a Corefile as `loadConfig` does, and loads the library of regular expressions where it has
 * some. Rejects with `CorefileErrors` naming every fault.
 */
export async function readConfig(
  source: { file: string; text: string; defaultPort: number },
  host: HostView,
): Promise<LoadedConfig> {
  try {
    return loadConfig(source, host);
  } catch (error) {
    if (!(error instanceof PatternsMissing)) throw error;
    await loadPatterns();
    return loadConfig(source, host);
  }
}
