import { LibraryMissing } from "../plugins/setup.ts";
import type { HostView } from "../config/host.ts";
import { loadConfig, type LoadedConfig } from "./load.ts";

/** As `loadConfig`, but loads required libraries. Throws `CorefileErrors`. */
export async function readConfig(
  source: { file: string; text: string; defaultPort: number },
  host: HostView,
): Promise<LoadedConfig> {
  for (;;) {
    try {
      return loadConfig(source, host);
    } catch (error) {
      if (!(error instanceof LibraryMissing)) throw error;
      await error.load();
    }
  }
}
