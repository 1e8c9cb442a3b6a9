import manifest from "../../deno.json" with { type: "json" };
import { COMMIT } from "./commit.ts";

/** Version of nodens. */
export const VERSION: string = manifest.version;

/** `nodens-0.1.0`, and on a second line `linux/x86_64, deno 2.9.6, 5885a50d1c2e`. */
export function versionText(): string {
  const { os, arch } = Deno.build;
  return `nodens-${VERSION}\n${os}/${arch}, deno ${Deno.version.deno}, ${COMMIT}`;
}
