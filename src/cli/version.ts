import manifest from "../../deno.json" with { type: "json" };
import { COMMIT } from "./commit.ts";

export const VERSION: string = manifest.version;

export function versionText(): string {
  const { os, arch } = Deno.build;
  return `nodens-${VERSION}\n${os}/${arch}, deno ${Deno.version.deno}, ${COMMIT}`;
}
