import manifest from "../../deno.json" with { type: "json" };
import { COMMIT } from "./commit.ts";

/** Version of nodens. */
export const VERSION: string = manifest.version;

/** Version, platform and commit. */
export function versionText(): string {
  const { os, arch } = Deno.build;
  return `nodens-${VERSION}\n${os}/${arch}, deno ${Deno.version.deno}, ${COMMIT}`;
}
