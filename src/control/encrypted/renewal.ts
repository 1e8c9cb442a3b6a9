import { FileHangs } from "./tls/bounded_looks.ts";
import type { CredentialFiles } from "./tls/files.ts";
import type { TlsLane } from "./lane.ts";

/**
 * Closes the connections whose certificates on this side have been replaced. Those whose files cannot
 * be looked at stay: a file system that hangs has replaced nothing.
 */
export async function retireStale(
  lanes: ReadonlyMap<unknown, { readonly lane: TlsLane }>,
  files: CredentialFiles,
): Promise<void> {
  const versions = new Map<string, string | null>();
  for (const { lane } of lanes.values()) {
    for (const { tls } of lane.endpoints()) versions.set(JSON.stringify(tls), null);
  }
  await Promise.all([...versions.keys()].map(async (key) => {
    try {
      versions.set(key, await files.version(JSON.parse(key)));
    } catch (error) {
      if (!(error instanceof FileHangs)) throw error;
    }
  }));
  for (const { lane } of lanes.values()) {
    lane.retire(({ tls }, version) => (versions.get(JSON.stringify(tls)) ?? version) !== version);
  }
}
